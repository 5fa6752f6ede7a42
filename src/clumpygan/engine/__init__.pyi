from .batches import in_batches as in_batches
from .running import Engine as Engine
from .running import open_engine as open_engine
from .workplace import Workplace as Workplace
from .workplace import check_workplace as check_workplace
from .workplace import cluster_setting as cluster_setting
from .workplace import cores as cores
from .workplace import workers_setting as workers_setting

__all__ = [
    "Engine",
    "Workplace",
    "check_workplace",
    "cluster_setting",
    "cores",
    "in_batches",
    "open_engine",
    "workers_setting",
]
