__version__: str

from .fitting.batch.run import fit_many as fit_many
from .fitting.fit_cube import fit as fit
from .generation.cubes import generate_cubes as generate_cubes
from .generation.galaxies import generate_galaxies as generate_galaxies
from .generation.mock import generate_cube as generate_cube
from .generation.patch import generate_patch as generate_patch
from .recovery import recover as recover
from .survey import recover_survey as recover_survey
