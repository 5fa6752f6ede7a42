"""The flags of `fit.py`, in groups."""

from __future__ import annotations

from argparse import Action, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from pathlib import Path
from typing import Any

from clumpygan.commands.cube_flags import add_model_flags
from clumpygan.commands.flag_types import LARGEST_SEED, integer, number
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.galaxies.parameters import CURVES, PARAMETERS
from clumpygan.instruments.spectrograph_presets import SPECTROGRAPHS

DEFAULT_SIGNAL_TO_NOISE = 10.0
"""Of the brightest voxel of a cube of a prepared set, whose noise is added when it is served."""

METHODS = ("importance", "laplace", "nuts", "amortised")
DEFAULT_POSTERIOR = "disk_posterior"
CORRELATED, ROBUST = ("scale", "covariance", "ignore"), ("none", "huber", "student")
"""Choices of `clumpygan.fitting`, which takes long to import."""

MEDIA, DEFINITIONS = ("air", "vacuum"), ("radio", "optical", "relativistic")


def add_input_flags(parser: ArgumentParser) -> None:
    """Add what is fitted, and what comes out."""
    group = parser.add_argument_group("the cubes")
    # fmt: off
    group.add_argument("cubes", nargs="*", type=Path, metavar="CUBE", help="FITS files")
    group.add_argument("--catalog", type=Path, metavar="FILE",
                       help="table of what differs from cube to cube: columns name (of the file,"
                       " without its ending) and any of redshift, psf_fwhm, line_spread, size, ra,"
                       " dec; instead of the flags of these names")
    group.add_argument("--set", type=Path, metavar="FOLDER",
                       help="fit cubes that prepare.py cubes has made, with noise added")
    group.add_argument("--n", type=integer(1, 10**9), metavar="N",
                       help="of the set, the first N cubes (default: all)")
    group.add_argument("--signal-to-noise", type=number(0), metavar="RATIO",
                       help="of the brightest voxel of each cube of the set"
                       f" (default: {DEFAULT_SIGNAL_TO_NOISE:g})")
    group = parser.add_argument_group("what comes out")
    group.add_argument("--output", type=Path, default=Path("fits"), metavar="FOLDER",
                       help="made if it doesn't exist; gets results.ecsv, and of each cube"
                       " NAME_table.ecsv and .fits, NAME_samples.fits, NAME_model.fits,"
                       " NAME_residual.fits, NAME_picture.png (default: %(default)s)")
    group.add_argument("--picture", action=BooleanOptionalAction, default=True,
                       help="draw the picture (default: yes)")
    group.add_argument("--model-cubes", action=BooleanOptionalAction, default=True,
                       help="write model and residual cubes (default: yes)")
    group.add_argument("--metrics", type=Path, metavar="FILE",
                       help="all results as JSON too (default: not written)")
    group.add_argument("--overwrite", action="store_true",
                       help="fit again what is done; without it, cubes with a result of the same"
                       " settings are skipped, and one of other settings is an error")
    group.add_argument("--workers", type=integer(1, 1024), default=1, metavar="N",
                       help="processes, each of which fits one cube at a time (default:"
                       " %(default)s)")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), default=0, metavar="N",
                       help="of the samples, and of the noise of a set (default: %(default)s)")
    # fmt: on


def add_observation_flags(parser: ArgumentParser) -> None:
    """Add which part of the files is used, and how it was observed."""
    group = parser.add_argument_group("the line and the instrument")
    # fmt: off
    group.add_argument("--line", metavar="NAMES",
                       help=f"emission lines, separated by commas: {', '.join(LINES)}, also Ha,"
                       " [OII] and the like, or rest wavelengths in Angstrom, in vacuum (default:"
                       " as the file says; cubes with a velocity axis need none)")
    group.add_argument("--redshift", type=number(-1), metavar="Z",
                       help="where the velocity is 0 (default: as the file says)")
    group.add_argument("--instrument", default="none", metavar="NAME",
                       help="whose PSF, line spread and correlation of the noise are used:"
                       f" {', '.join(SPECTROGRAPHS)}, or none (default: %(default)s)")
    group.add_argument("--psf-fwhm", type=number(0), metavar="ARCSEC",
                       help="at the line (default: the instrument's, or the radio beam)")
    group.add_argument("--line-spread", type=number(), metavar="KM/S",
                       help="standard deviation of the line spread function (default: the"
                       " instrument's; 0 without one)")
    group = parser.add_argument_group("the part of the files that is used")
    group.add_argument("--hdu", type=_hdu, metavar="HDU",
                       help="number or name of the HDU (default: the only cube, DATA, SCI or FLUX)")
    group.add_argument("--variance", metavar="FILE",
                       help="the variance, of files without; {name} stands for the name of the cube"
                       " without its ending. Where there is none, it is estimated from the sides of"
                       " the field")
    group.add_argument("--mask", metavar="FILE",
                       help="FITS image or cube of the size of the file; voxels that aren't 0 there"
                       " are left out; {name} as above")
    group.add_argument("--position", nargs=2, type=number(), metavar=("RA", "DEC"),
                       help="centre of the field to be used, degrees (default: the whole field)")
    group.add_argument("--pixel", nargs=2, type=number(), metavar=("X", "Y"),
                       help="that centre in pixels, the first being 0")
    group.add_argument("--size", type=number(0), metavar="ARCSEC",
                       help="width of the field to be used")
    group.add_argument("--velocity-range", nargs=2, type=number(), metavar=("LOW", "HIGH"),
                       help="channels to be used, in km/s from the first line (default: all, but of"
                       " wavelengths and frequencies those within 2000 km/s of the lines)")
    group.add_argument("--subtract-continuum", nargs=2, type=number(), metavar=("LOW", "HIGH"),
                       help="take a straight line off every spaxel that is fitted to the channels"
                       " outside of these velocities, km/s from the first line (default: nothing)")
    group.add_argument("--pixel-scale", type=number(0), metavar="ARCSEC",
                       help="of files that don't say")
    group.add_argument("--medium", choices=MEDIA,
                       help="of the wavelengths of files that don't say")
    group.add_argument("--definition", choices=DEFINITIONS,
                       help="of the velocities of files that don't say")
    group.add_argument("--spectral-unit", metavar="UNIT", help="overrides that of the file")
    group.add_argument("--unit", metavar="UNIT", help="of the data, overrides that of the file")
    # fmt: on


def add_galaxy_flags(parser: ArgumentParser) -> None:
    """Add the model and what is known about its parameters."""
    add_model_flags(parser, clumps="free in flux and place")
    group = parser.add_argument_group("more about the model")
    # fmt: off
    group.add_argument("--model", type=_curves, metavar="NAMES", dest="models",
                       help="the same as --curve; of several, separated by commas, each is fitted,"
                       " NAME_models.ecsv compares their evidences, and the other files are of the"
                       " most probable one")
    group.add_argument("--warp", action="store_true",
                       help="inclination and position angle change with radius, both free")
    group = parser.add_argument_group(
        "the parameters",
        "Free by default: flux, centre, systemic velocity, half-light radius, inclination, position"
        " angle, dispersion, and what the curve, a ring, arms, clumps, a warp or more lines need;"
        " the scale height follows the half-light radius; all others have their defaults."
        f" Parameters: {', '.join(f'{row.name} [{row.unit}]' if row.unit else row.name for row in PARAMETERS)};"  # noqa: E501
        " clump_1_fraction, clump_1_x, clump_1_y, clump_1_radius, clump_1_dispersion, clump_2_...;"
        " of more than two lines line_3_ratio, ...: the flux over that of the second line.",
    )
    group.add_argument("--free", action=_Listed, default={}, type=_names, metavar="NAMES",
                       help="free too, separated by commas: g1,g2 is the shear")
    group.add_argument("--fix", action=_Listed, default={}, type=_pair, metavar="NAME=VALUE",
                       help="not free; may be given again, as all that follow")
    group.add_argument("--tie", action=_Listed, default={}, type=_pair,
                       metavar="NAME=FACTOR*OTHER", help="follows another parameter")
    group.add_argument("--prior", action=_Listed, default={}, type=_pair,
                       metavar="NAME=KIND:A:B",
                       help="normal:MEAN:SIGMA, lognormal:MEDIAN:SIGMA_OF_LN, uniform:LOW:HIGH,"
                       " log_uniform:LOW:HIGH, isotropic:LOW:HIGH; of maximum_velocity also"
                       " tully_fisher:LOG10_STELLAR_MASS (default: flat, isotropic for the"
                       " inclination)")
    group.add_argument("--bound", action=_Listed, default={}, type=_pair, metavar="NAME=LOW:HIGH",
                       help="limits of the default prior, or of a normal one")
    group.add_argument("--start", action=_Listed, default={}, type=_pair, metavar="NAME=VALUE",
                       help="first guess, in place of that from the moment maps")
    # fmt: on


def add_fit_flags(parser: ArgumentParser) -> None:
    """Add how the noise is treated and the posterior drawn from."""
    group = parser.add_argument_group("the fit")
    # fmt: off
    group.add_argument("--method", choices=METHODS, default=METHODS[0],
                       help="exact samples by importance; a Gaussian around the optimum, at once;"
                       " chains of the no-U-turn sampler, which take longer; or a network trained"
                       " to draw from posteriors (default: %(default)s)")
    group.add_argument("--posterior", metavar="NAME",
                       help="the network of amortised: a .safetensors file, or one that ships"
                       f" (default: {DEFAULT_POSTERIOR})")
    group.add_argument("--correct", action=BooleanOptionalAction, default=True,
                       help="weight the draws of amortised with likelihood and prior, which makes"
                       " them exact; without, it answers in milliseconds (default: yes)")
    group.add_argument("--samples", type=integer(1, 10**6), default=400, metavar="N",
                       help="effective samples wanted of every parameter (default: %(default)s)")
    group.add_argument("--most", type=integer(1, 10**9), default=5000, metavar="N",
                       help="cubes rendered at most, by importance and amortised (default:"
                       " %(default)s)")
    group.add_argument("--chains", type=integer(2, 1024), default=4, metavar="N",
                       help="of nuts (default: %(default)s)")
    group.add_argument("--noise-scale", type=number(0), default=1.0, metavar="FACTOR",
                       help="by which the noise exceeds that of the variance (default:"
                       " %(default)s)")
    group.add_argument("--correlated", choices=CORRELATED, default=CORRELATED[0],
                       help="what is done about an instrument's noise that neighbours share"
                       " (default: %(default)s)")
    group.add_argument("--robust", choices=ROBUST, default=ROBUST[0],
                       help="against residuals of sky lines (default: %(default)s)")
    group.add_argument("--accuracy", type=number(0), metavar="SHARE",
                       help="largest error of a rendered voxel over the peak (default: what the S/N"
                       " asks for)")
    # fmt: on


class _Listed(Action):
    """Collects NAME -> value; a name that is given twice is refused."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        held = dict(getattr(namespace, self.dest))
        for name, value in values:
            if name in held and held[name] != value:
                parser.error(f"argument {option}: {name} is given twice, {held[name]} and {value}")
            held[name] = value
        setattr(namespace, self.dest, held)


def _names(text: str) -> list[tuple[str, str]]:
    names = [name.strip().replace("-", "_") for name in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"invalid value: {text!r} (expected names, separated by commas)")
    return [(name, "") for name in names]


def _curves(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in CURVES:
            raise ArgumentTypeError(
                f"invalid choice: {name!r} (choose from {', '.join(CURVES)}, separated by commas)"
            )
    if len(set(names)) < len(names):
        raise ArgumentTypeError(f"{text!r} names a curve twice")
    return names


def _pair(text: str) -> list[tuple[str, str]]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise ArgumentTypeError(f"invalid value: {text!r} (expected NAME=VALUE)")
    return [(name.strip().replace("-", "_"), value.strip())]


def _hdu(text: str) -> int | str:
    return int(text) if text.isdigit() else text
