from .pipeline import recover as recover
from .pipeline import recover_with as recover_with
from .resolver import SuperResolver as SuperResolver
from .result import Recovery as Recovery
from .scene import Scene as Scene
from .settings import RecoverySettings as RecoverySettings
