from .blend_classifier import BlendClassifierModule as BlendClassifierModule
from .cube import CubeGanModule as CubeGanModule
from .cubes import CubeGenerator as CubeGenerator
from .dcgan import DcganModule as DcganModule
from .galaxies import GalaxyGenerator as GalaxyGenerator
from .super_resolution import SuperResolutionModule as SuperResolutionModule
