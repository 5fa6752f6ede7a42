from .cubes.datamodule import CubeDataModule as CubeDataModule
from .cubes.galaxy_cubes import GalaxyCubeDataModule as GalaxyCubeDataModule
from .cutouts.datamodule import CandelsDataModule as CandelsDataModule
from .idx import IdxDataModule as IdxDataModule
from .stamps.blends import BlendDataModule as BlendDataModule
from .stamps.pairs import PairDataModule as PairDataModule
