"""Settings of simulated patches of a survey."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.settings import check, seed_setting, setting

DENSITY = 50.0
"""Galaxies per square arcmin down to H = 25: half of those of CANDELS, as many blends as in HSC."""

_OUTPUT, _SKY, _RUNNING = "what comes out", "the sky", "running"


@dataclass(frozen=True)
class PatchSettings:
    """Which patch is simulated.

    Attributes
    ----------
    output : pathlib.Path
        Folder.
    size : int
        Pixels on a side.
    n : int, optional
        Galaxies; as many as `DENSITY` says by default.
    stars : int, optional
        Stars; a tenth of the galaxies by default.
    min_magnitude, max_magnitude : float
        H (AB) of the galaxies.
    instrument : str
        Survey from the ground.
    cells : int
        On a side, each of which has a PSF of its own.
    seed : int
    workers, cluster
        Who draws, see `clumpygan.engine.Workplace`.
    """

    output: Path = setting(
        Path("patch"), "made if it doesn't exist; gets calexp.fits, truth.fits and psf/*.fits",
        "FOLDER", heading=_OUTPUT,
    )  # fmt: skip
    size: int = setting(
        4200, "pixels on a side; 4200 are a patch of HSC", "N", least=100, most=10_000,
        heading=_OUTPUT,
    )  # fmt: skip
    n: int | None = setting(
        None, "galaxies", "N", least=1, most=10**6, heading=_SKY,
        default_words=f"{DENSITY:g} per square arcmin",
    )  # fmt: skip
    stars: int | None = setting(
        None, "stars, of 17 to 24 mag", "N", least=0, most=10**5, heading=_SKY,
        default_words="a tenth of the galaxies",
    )  # fmt: skip
    min_magnitude: float = setting(
        20.0, "brightest galaxy, H (AB)", "MAG", least=18, most=28, heading=_SKY
    )
    max_magnitude: float = setting(
        25.0, "faintest galaxy, H (AB)", "MAG", least=18, most=28, heading=_SKY
    )
    instrument: str = setting(
        "hsc_wide_i", "survey from the ground: its pixels, depth and seeing", "NAME", heading=_SKY
    )
    cells: int = setting(
        8, "cells on a side of the patch, in each of which the PSF is another", "N", least=1,
        most=32, heading=_SKY,
    )  # fmt: skip
    seed: int = seed_setting(0, "of everything random", heading=_SKY)
    workers: int | None = workers_setting(_RUNNING)
    cluster: str | None = cluster_setting(_RUNNING)

    def __post_init__(self) -> None:
        """Check each setting, and those that go together.

        Raises
        ------
        InputError
            If no galaxy is between the magnitudes, or cells are smaller than 50 pixels.
        """
        check(self)
        check_workplace(self)
        if self.min_magnitude >= self.max_magnitude:
            raise InputError(
                f"`min_magnitude` {self.min_magnitude:g}: expected less than `max_magnitude`,"
                f" {self.max_magnitude:g}"
            )
        if self.size < 50 * self.cells:
            raise InputError(
                f"`cells` {self.cells}: of {self.size} pixels each is narrower than 50; expected"
                f" {self.size // 50} at most"
            )
