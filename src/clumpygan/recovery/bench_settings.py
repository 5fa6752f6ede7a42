"""Settings of the comparison of methods that recover galaxies whose truth is known."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.settings import check, seed_setting, setting

METHODS = ("bicubic", "wiener", "richardson_lucy", "richardson_lucy_disk", "ancestor", "network")
"""What can be compared; the network gives two rows, its best estimate and one sample."""

DEFAULT_METHODS = tuple(name for name in METHODS if name != "richardson_lucy_disk")
"""What is compared unless the user says otherwise."""

SYNTHETIC_NUMBER = 400
"""Synthetic galaxies measured by default."""

_GALAXIES, _METHODS, _RUNNING = "galaxies", "methods", "output and running"


@dataclass(frozen=True)
class BenchSettings:
    """Which galaxies are recovered by which methods.

    Attributes
    ----------
    n : int, optional
        Number of galaxies.
    seed : int
        Fixes galaxies, seeing, noise and samples.
    instrument : str, optional
        Survey from the ground whose depth, seeing and Moffat slopes are drawn; the one that the
        network is trained on by default.
    catalog : pathlib.Path, optional
        Of real HST stamps, in place of synthetic galaxies.
    data_root : pathlib.Path, optional
        Folder of these stamps.
    max_redshift, max_hmag : float, optional
        Cuts on the catalogue.
    methods : tuple of str
        Some of `METHODS`.
    checkpoint, ancestor_checkpoint : str
        Names or paths of the networks.
    samples : int
        Of the network, for each galaxy.
    device : str
    workers : int, optional
        Processes of one thread each; as many as cores by default.
    cluster : str, optional
        Who works in place of them, see `clumpygan.engine.Workplace`.
    """

    n: int | None = setting(
        None, "number of galaxies", "N", least=1, heading=_GALAXIES,
        default_words=f"{SYNTHETIC_NUMBER}; with a catalogue: all that pass",
    )  # fmt: skip
    seed: int = seed_setting(
        11, "fixes galaxies, seeing, noise and samples; an integer >= 0", heading=_GALAXIES
    )
    instrument: str | None = setting(
        None,
        "ground-based survey whose depth, seeing and Moffat slopes are drawn, as hsc_wide_r",
        "NAME",
        heading=_GALAXIES,
        default_words="the survey the network is trained on; hsc_wide_i has 0.55-0.75 arcsec, beta"
        " 2.5-4.5, 26.2 mag at 5 sigma in a 2 arcsec aperture",
    )
    catalog: Path | None = setting(
        None,
        "catalogue of real HST stamps (FITS table, GalSim's RealGalaxyCatalog included); they are"
        " brought to 0.06 arcsec pixels and the PSF of F160W",
        "FILE",
        heading=_GALAXIES,
        default_words="synthetic galaxies",
    )
    data_root: Path | None = setting(
        None, "folder with the stamps of the catalogue", "FOLDER", heading=_GALAXIES,
        default_words="that of the catalogue",
    )  # fmt: skip
    max_redshift: float | None = setting(
        None, "highest redshift taken from the catalogue", "Z", heading=_GALAXIES,
        default_words="no cut",
    )  # fmt: skip
    max_hmag: float | None = setting(
        None, "faintest AB magnitude taken from the catalogue", "MAG", heading=_GALAXIES,
        default_words="no cut",
    )  # fmt: skip
    methods: tuple[str, ...] = setting(
        DEFAULT_METHODS, "which to compare, separated by commas", "LIST", choices=METHODS,
        heading=_METHODS,
    )  # fmt: skip
    checkpoint: str = setting(
        "super_resolution", "the network: a shipped name or the path of a .safetensors file",
        "NAME", heading=_METHODS,
    )  # fmt: skip
    ancestor_checkpoint: str = setting(
        "ancestor", "the same for the ancestor", "NAME", heading=_METHODS
    )
    samples: int = setting(
        16,
        "samples of the network per galaxy: their mean is its estimate, their spread the error",
        "N",
        least=2,
        even=True,
        heading=_METHODS,
    )
    device: str = setting("cpu", "torch device: cpu, cuda, cuda:1", "NAME", heading=_RUNNING)
    workers: int | None = workers_setting(_RUNNING)
    cluster: str | None = cluster_setting(_RUNNING)

    def __post_init__(self) -> None:
        """Check each setting, and those that go together.

        Raises
        ------
        InputError
            For a setting of the catalogue without it.
        """
        check(self)
        check_workplace(self)
        ordered = tuple(name for name in METHODS if name in self.methods)
        object.__setattr__(self, "methods", ordered)
        for name in ("data_root", "max_redshift", "max_hmag"):
            if getattr(self, name) is not None and self.catalog is None:
                raise InputError(
                    f"`{name}` goes with `catalog`: give the catalogue or leave it out"
                )
