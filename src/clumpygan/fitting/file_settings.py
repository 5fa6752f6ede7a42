"""What a file holds, and with what it was observed: settings of fits that are about files."""

from dataclasses import dataclass
from typing import Literal

from clumpygan.errors import InputError
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.instruments.spectrograph_names import SPECTROGRAPH_NAMES
from clumpygan.settings import setting


# fmt: off
@dataclass(frozen=True)
class LineSettings:
    """The line that is fitted, and the instrument that observed it."""

    line: str | float | tuple[str, ...] | tuple[float, ...] | None = setting(None,
        f"emission lines, separated by commas: {', '.join(LINES)}, also Ha, [OII] and the like, or"
        " rest wavelengths in Angstrom, in vacuum", "NAMES",
        default_words="as the file says; cubes with a velocity axis need none")
    redshift: float | None = setting(
        None, "where the velocity is 0", "Z", above=-1, default_words="as the file says"
    )
    instrument: str | None = setting(None,
        "whose PSF, line spread and correlation of the noise are used:"
        f" {', '.join(SPECTROGRAPH_NAMES)}, or none", "NAME",
        default_words="none, but of cubes that generate.py has made theirs")
    psf_fwhm: float | None = setting(None, "of the PSF at the line, along its major axis", "ARCSEC",
        above=0, default_words="as the header of a mock says, the instrument's, or the radio beam")
    psf_axis_ratio: float | None = setting(None, "of that PSF, the minor over the major axis",
        "RATIO", above=0, most=1, default_words="round")
    psf_angle: float | None = setting(None, "of its major axis, from +y (north) towards -x (east)",
        "DEGREES", least=-360, most=360, default_words="0")
    psf_beta: float | None = setting(None, "exponent of a Moffat PSF of that FWHM", "BETA",
        least=1.6, most=8, default_words="that of the instrument's PSF; a Gaussian without one")
    psf: str | None = setting(None, "FITS image of the PSF, or a cube with one for each wavelength,"
        " on pixels of any size: those of the cube have their response in it, finer ones don't;"
        " {name} stands for the name of the cube without its ending", "FILE")
    psf_scale: float | None = setting(None, "pixel scale of that PSF", "ARCSEC", above=0,
        default_words="its header's, else the cube's")
    line_spread: float | None = setting(None, "standard deviation of the line spread function",
        "KM/S", least=0, default_words="the instrument's; 0 without one")
    lsf: str | None = setting(None, "table of the line spread function: columns wavelength and fwhm"
        " or sigma [Angstrom] or R, channels included; {name} as above", "FILE")
    resolving_power: tuple[float, ...] | None = setting(None, "R = wavelength / FWHM of the line"
        " spread, channels included; of several numbers R = C0 + C1 wavelength + ... [Angstrom]",
        "C0,C1,...")
    distance: float | None = setting(None, "of the galaxy, for its mass and size", "MPC", above=0,
        default_words="that of the redshift (Planck 2018)")

    def check_spread(self) -> None:
        """Refuse settings of PSF and line spread that contradict each other, or miss another."""
        shape = [
            n for n in ("psf_axis_ratio", "psf_angle", "psf_beta") if getattr(self, n) is not None
        ]
        if self.psf is not None:
            for name in ("psf_fwhm", *shape):
                if getattr(self, name) is not None:
                    raise InputError(
                        f"`psf` and `{name}` both say what the PSF is; give one of them"
                    )
        elif self.psf_scale is not None:
            raise InputError("`psf_scale` is that of `psf` FILE; leave it out")
        elif shape and self.psf_fwhm is None:
            raise InputError(f"`{shape[0]}` needs `psf_fwhm` ARCSEC, of the same PSF")
        told = [
            n for n in ("line_spread", "lsf", "resolving_power") if getattr(self, n) is not None
        ]
        if len(told) > 1:
            raise InputError(
                f"`{told[0]}` and `{told[1]}` both say the line spread; give one of them"
            )
        if self.resolving_power == ():
            raise InputError("`resolving_power`: expected at least one number")


@dataclass(frozen=True)
class FileSettings:
    """The part of a file that is used, and what the file doesn't say."""

    map: bool = setting(False, "the files are velocity maps, not cubes: the HDU VEL, VELOCITY,"
        " STELLAR_VEL, MOM1 or the like, or the only image; spaxels of a Voronoi bin count once")
    errors: str | None = setting(None, "errors of a velocity map, of files without: a number, or a"
        " file; {name} stands for the name of the map without its ending", "KM/S|FILE")
    flux_map: str | None = setting(None, "light of a velocity map, with which velocities are"
        " weighted behind the PSF; {name} as above", "FILE",
        default_words="the extension FLUX or the like; else an exponential disk")
    hdu: int | str | None = setting(None, "number or name of the HDU", "HDU",
        parse=lambda text: int(text) if text.isdigit() else text,
        default_words="the only cube, DATA, SCI or FLUX")
    variance: str | None = setting(None,
        "the variance, of files without; {name} stands for the name of the cube without its ending."
        " Where there is none, it is estimated from the sides of the field", "FILE")
    mask: str | None = setting(None,
        "FITS image or cube of the size of the file; voxels that aren't 0 there are left out;"
        " {name} as above", "FILE")
    position: tuple[float, float] | None = setting(None, "centre of the field to be used, degrees",
        metavar=("RA", "DEC"), default_words="the whole field")
    pixel: tuple[float, float] | None = setting(
        None, "that centre in pixels, the first being 0", metavar=("X", "Y")
    )
    size: float | None = setting(None, "width of the field to be used", "ARCSEC", above=0)
    velocity_range: tuple[float, float] | None = setting(None,
        "channels to be used, in km/s from the first line", metavar=("LOW", "HIGH"),
        default_words="all, but of wavelengths and frequencies those within 2000 km/s of the lines")
    subtract_continuum: tuple[float, float] | None = setting(None,
        "take a straight line off every spaxel that is fitted to the channels outside of these"
        " velocities, km/s from the first line", metavar=("LOW", "HIGH"), default_words="nothing")
    pixel_scale: float | None = setting(None, "of files that don't say", "ARCSEC", above=0)
    medium: Literal["air", "vacuum"] | None = setting(
        None, "of the wavelengths of files that don't say"
    )
    definition: Literal["radio", "optical", "relativistic"] | None = setting(
        None, "of the velocities of files that don't say"
    )
    spectral_unit: str | None = setting(None, "overrides that of the file", "UNIT")
    unit: str | None = setting(None, "of the data, overrides that of the file", "UNIT")
# fmt: on
