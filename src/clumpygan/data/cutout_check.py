"""Whether a set of cutouts is what was written."""

import numpy as np

from clumpygan.data.cutout_completion import checksum
from clumpygan.data.cutout_store import CutoutSet
from clumpygan.errors import InputError

_AT_ONCE = 256


def check_cutouts(cutouts: CutoutSet) -> None:
    """Check that each file of a set is what its card says, and that every pixel is a number.

    Raises
    ------
    InputError
        If a file has changed, or a stamp holds NaN.
    """
    home = cutouts.folder
    for name, expected in cutouts.card["checksums"].items():
        if not (home / name).is_file() or checksum(home / name) != expected:
            raise InputError(
                f"{home / name} isn't what was written: it is damaged; delete {home} and prepare "
                "it again"
            )
    for first in range(0, len(cutouts), _AT_ONCE):
        finite = np.isfinite(cutouts.all_images[first : first + _AT_ONCE]).all(axis=(1, 2, 3))
        if not finite.all():
            raise InputError(f"{home}: stamp {first + int(np.argmin(finite))} holds NaN")
