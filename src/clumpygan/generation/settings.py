"""Settings of what is generated."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from clumpygan.data.cubes.frame_settings import accuracy_setting
from clumpygan.errors import InputError
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.instruments.spectrograph_names import SPECTROGRAPH_NAMES
from clumpygan.settings import (
    Span,
    check,
    check_spans,
    did_you_mean,
    seed_setting,
    setting,
    span_setting,
)

TYPICAL_FLUX = 2000.0
"""1e-20 erg s-1 cm-2: a line that MUSE sees at a signal-to-noise ratio of 5 to 10 in 10 hours."""

TYPICAL_SIGNAL_TO_NOISE = 10.0
"""Of the brightest voxel."""

CUBE_NETWORKS = ("cube_gan", "cube_gas")
"""Networks that come with the package and make cubes of any shape."""

NETWORK = "network"
"""Galaxies are made by a trained network."""

_OUTPUT, _NOISE = "what comes out", "the noise"
_GALAXIES = "the galaxies: a range LOW:HIGH or one number each"
_FRAME = "the cubes (default: those of the training)"


def _seed() -> Any:
    return seed_setting(
        None,
        "of everything random",
        heading=_OUTPUT,
        default_words="drawn at random and printed",
    )


@dataclass(frozen=True)
class MockSettings:
    """How a mock cube of one galaxy is made.

    Attributes
    ----------
    seed : int, optional
        Of clumps, noise and what is drawn at random; drawn itself by default.
    random : bool
        Whether the parameters that aren't given are drawn from their priors.
    signal_to_noise, exposure_time, noise : float, optional
        One of them: of the brightest voxel; seconds after which the instrument has that noise;
        standard deviation of every voxel.
    noiseless : bool
        Whether there is no noise, as is the default without an instrument.
    accuracy : float
        Largest error of a voxel over the largest voxel.
    """

    seed: int | None = seed_setting(
        None,
        "of clumps, noise and --random",
        heading=_OUTPUT,
        default_words="drawn at random and printed",
    )
    random: bool = setting(
        False, "draw the galaxy from the priors, but for the parameters given", heading=_OUTPUT
    )
    signal_to_noise: float | None = setting(
        None,
        "largest of all voxels; with an instrument, noise rises at sky lines and neighbours share"
        " it as in real cubes",
        "ratio",
        above=0,
        heading=_NOISE,
        default_words=f"{TYPICAL_SIGNAL_TO_NOISE:g} with an instrument",
    )
    exposure_time: float | None = setting(
        None, "as noisy as the instrument is after so long", "seconds", above=0, heading=_NOISE
    )
    noise: float | None = setting(
        None,
        "standard deviation of every voxel, in the unit of the data",
        "sigma",
        above=0,
        heading=_NOISE,
    )
    noiseless: bool = setting(
        False,
        "no noise, and no variance",
        heading=_NOISE,
        default_words="no with an instrument, yes without one",
    )
    accuracy: float = accuracy_setting()

    def __post_init__(self) -> None:
        check(self)
        names = ("signal_to_noise", "exposure_time", "noise")
        told = [name for name in names if getattr(self, name) is not None]
        told += ["noiseless"] * self.noiseless
        if len(told) > 1:
            raise InputError(f"`{told[0]}` and `{told[1]}` both say how noisy; give one of them")


@dataclass(frozen=True)
class GalaxiesSettings:
    """Which images of galaxies are made.

    Attributes
    ----------
    n : int
    seed : int, optional
        Galaxy i depends on the seed and i alone. Drawn at random by default.
    magnitude : (float, float) or float, optional
        Range of the AB magnitude; what the network has seen by default.
    redshift, half_light_radius : (float, float) or float
        Ranges, the second in arcsec.
    noiseless : bool
    checkpoint : str
        Name or path of the network.
    device : str
    """

    n: int = setting(64, "number of galaxies", "N", least=1, most=100_000)
    seed: int | None = _seed()
    magnitude: Span | float | None = span_setting(
        None,
        "range of the AB magnitude",
        18,
        28,
        default_words="what the network has seen, 20:26 for dcgan",
    )
    redshift: Span | float = span_setting((0.1, 2.0), "range of the redshift", 0.1, 8)
    half_light_radius: Span | float = span_setting((0.05, 2.0), "range in arcsec", 0.05, 2)
    noiseless: bool = setting(False, "leave the noise out: IMAGES are the galaxies alone")
    checkpoint: str = setting("dcgan", "name or path of the network", metavar="NAME")
    device: str = setting("cpu", "cpu or cuda", metavar="NAME")

    def __post_init__(self) -> None:
        check_spans(self, "magnitude", "redshift", "half_light_radius")


@dataclass(frozen=True)
class CubesSettings:
    """Which cubes a trained network makes; the ranges of their parameters are given beside.

    Attributes
    ----------
    n : int
    seed : int, optional
        Galaxy i depends on the seed and i alone. Drawn at random by default.
    checkpoint : str, optional
        Name or path of the network; by default the first of `CUBE_NETWORKS` that was trained on
        what is asked for.
    population : str
        `NETWORK`, or "clumpy_disks" or "gas_disks" without any.
    device : str
    smooth : bool
        Whether the smooth disks of the same galaxies are made instead, with the same noise.
    signal_to_noise : (float, float) or float
        Of the brightest voxel; log-uniform in the range.
    noiseless : bool
    shape : tuple of int, optional
        (v, y, x); this and those below are the training's by default.
    pixel_scale, channel_width : float, optional
        Arcsec and Angstrom.
    instrument, line : str, optional
    redshift : float, optional
    """

    n: int = setting(16, "number of galaxies", "N", least=1, most=1_000_000, heading=_OUTPUT)
    seed: int | None = _seed()
    checkpoint: str | None = setting(
        None,
        "name or path of the network",
        metavar="NAME",
        heading=_OUTPUT,
        default_words=f"{', or '.join(CUBE_NETWORKS)} if the first has not seen what is asked for",
    )
    population: Literal["network", "clumpy_disks", "gas_disks"] = setting(
        NETWORK,
        "who makes them: the network; or the renderer, from what networks learn from: disks with"
        " clumps, or gas disks whose sizes, motions and lines follow from their masses",
        metavar="KIND",
        heading=_OUTPUT,
    )
    device: str = setting("cpu", "cpu or cuda", metavar="NAME", heading=_OUTPUT)
    smooth: bool = setting(
        False, "the smooth disks of the same galaxies instead, with the same noise", heading=_OUTPUT
    )
    signal_to_noise: Span | float = span_setting(
        (TYPICAL_SIGNAL_TO_NOISE,) * 2,
        "brightest voxel over the noise of a voxel, log-uniform in a range; the noise is correlated"
        " as in the instrument's cubes",
        0.01,
        1e6,
        aliases=("--snr",),
        heading=_GALAXIES,
        default_words=f"{TYPICAL_SIGNAL_TO_NOISE:g}",
    )
    noiseless: bool = setting(False, "no noise, and no variance", heading=_GALAXIES)
    shape: tuple[int, int, int] | None = setting(
        None, "channels, rows and columns", least=8, most=512, metavar=("V", "Y", "X"),
        heading=_FRAME,
    )  # fmt: skip
    pixel_scale: float | None = setting(None, "width of a pixel", "arcsec", above=0, heading=_FRAME)
    channel_width: float | None = setting(
        None, "width of a channel", "Angstrom", above=0, heading=_FRAME
    )
    instrument: str | None = setting(
        None,
        f"whose PSF, line spread and noise: {', '.join(SPECTROGRAPH_NAMES)}",
        metavar="NAME",
        heading=_FRAME,
    )
    line: str | None = setting(
        None, f"emission line: {', '.join(LINES)}", metavar="NAME", heading=_FRAME
    )
    redshift: float | None = setting(
        None, "of the systemic velocity 0", "Z", above=-1, heading=_FRAME
    )

    def __post_init__(self) -> None:
        check_spans(self, "signal_to_noise")


def sort_choices(choices: Mapping[str, Any], *kinds: Collection[str]) -> tuple[dict[str, Any], ...]:
    """Share keyword arguments out to those who know them.

    Parameters
    ----------
    choices : mapping
        Name -> value.
    *kinds : collection of str
        The names that each knows; a name goes to the first.

    Raises
    ------
    InputError
        For a name that nobody knows, with the nearest one.
    """
    known = [name for names in kinds for name in names]
    for name in choices:
        if name not in known:
            raise InputError(
                f"there is no {name!r}{did_you_mean(name, known)}; expected {', '.join(known)}"
            )
    taken: set[str] = set()
    shares = []
    for names in kinds:
        shares.append({n: choices[n] for n in names if n in choices and n not in taken})
        taken |= set(names)
    return tuple(shares)


def names_of(kind: type) -> tuple[str, ...]:
    """Return the names of a settings class."""
    return tuple(one.name for one in fields(kind))
