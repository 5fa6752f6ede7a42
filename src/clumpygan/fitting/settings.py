"""What a fit depends on, declared once: flags, --config and the Python API are made from it.

All names of parameters are those of the table of parameters (`clumpygan.galaxies.disks`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.fitting.file_settings import FileSettings, LineSettings
from clumpygan.galaxies.disks.disk_model import CURVES, MASS_CURVES, DiskModel, Light, Vertical
from clumpygan.galaxies.emission_lines import with_fainter
from clumpygan.settings import (
    check,
    default_of,
    from_mapping,
    plain,
    same_setting,
    seed_setting,
    setting,
    settings_of,
)

Method = Literal["importance", "laplace", "nuts"]
Correlated = Literal["scale", "covariance", "ignore"]
Robust = Literal["none", "huber", "student"]

METHODS_WITHOUT_EVIDENCE: tuple[Method, ...] = ("nuts",)

NO_ARVIZ = "InferenceData needs arviz: python -m pip install 'clumpygan[fit]'"

_ABOUT_PARAMETERS = ("fix", "tie", "free", "prior", "bound", "start")


_OF_CUBES = (
    "line", "redshift", "instrument", "line_spread", "lsf", "resolving_power", "variance",
    "position", "pixel", "size", "velocity_range", "subtract_continuum", "medium", "definition",
    "spectral_unit", "ring_radii", "arms", "clumps", "warp", "accuracy", "distance",
)  # fmt: skip
"""Settings that a velocity map has no use for."""


@dataclass(frozen=True)
class NoiseSettings:
    """How the noise is treated.

    Attributes
    ----------
    scale : float, optional
        The noise is this many times that of the variance, which is taken as it is with 1. Without
        it, line-free voxels say whether the variance is wrong, and by how much, and it is corrected
        (`clumpygan.fitting.goodness.noise`).
    correlated : str
        What is done where the instrument's noise is correlated. "scale": sigma is multiplied by
        the square root of the sum of the correlation, which is right for models that are smooth
        on the scale of the correlation, as all are that a PSF has smoothed. "covariance": the
        residuals are whitened by the covariance. "ignore": errors come out too small.
    robust : str
        "none"; "huber": beyond 3 sigma, rho grows linearly; "student": Student's t with 4 degrees
        of freedom. For residuals of sky lines and cosmic rays.
    """

    scale: float | None = setting(
        None,
        "by which the noise exceeds that of the variance; 1 takes the variance as it is",
        "FACTOR",
        above=0,
        default_words="what line-free voxels say, where the variance is wrong",
    )
    correlated: Correlated = setting(
        "scale", "what is done about an instrument's noise that neighbours share"
    )
    robust: Robust = setting("none", "against residuals of sky lines")

    def __post_init__(self) -> None:
        check(self)
        if self.robust != "none" and self.correlated == "covariance":
            raise InputError(
                "robust noise with a covariance: outliers would be spread over their neighbours; "
                "expected correlated='scale'"
            )


@dataclass(frozen=True)
class SamplerSettings:
    """How the posterior is drawn from.

    Attributes
    ----------
    method : str
        "importance": exact draws, proposed by an emulator of the posterior and weighted with the
        renderer (`clumpygan.fitting.sampling.importance`); about a second.
        "laplace": a Gaussian around the optimum, in unconstrained coordinates; in no time.
        "nuts": the no-U-turn sampler of nutpie on the gradient of the torch renderer, of the extra
        `fit`; many times as long, with no use of emulators.
    wanted : int
        Effective draws for every parameter; fewer are a problem that the result reports.
    most : int
        Cubes that are rendered at most, by "importance".
    chains : int
        Of "nuts"; R-hat compares them.
    """

    method: Method = setting(
        "importance",
        "exact samples by importance; a Gaussian around the optimum, at once; or chains of the"
        " no-U-turn sampler, which take longer",
    )
    wanted: int = setting(
        400, "effective samples wanted of every parameter", "N", least=1, most=10**6
    )
    most: int = setting(5000, "cubes rendered at most, by importance", "N", least=1, most=10**9)
    chains: int = setting(4, "of nuts", "N", least=2, most=1024)

    def __post_init__(self) -> None:
        check(self)


# fmt: off
@dataclass(frozen=True)
class ModelSettings:
    """The model of the galaxy."""

    light: Light = same_setting(DiskModel, "light")
    vertical: Vertical = same_setting(DiskModel, "vertical")
    curve: tuple[str, ...] = setting((),
        f"rotation curve: {', '.join(CURVES)}; of several, separated by commas, each is fitted,"
        " NAME_models.ecsv compares their evidences, and the other files are of the most probable"
        " one", "NAMES", choices=CURVES, default_words=DiskModel().curve)
    model: tuple[str, ...] = setting((),
        "curves, or light and curve with a colon between, as sersic:arctan,ring:tanh,map:rings:"
        " compared as those of curve are", "NAMES")
    rotation_table: Path | tuple[tuple[float, float], ...] | None = setting(None,
        "the curve 'table': columns radius [arcsec] and velocity [km/s], as text, CSV, ECSV or"
        " FITS", "FILE")
    ring_radii: tuple[float, ...] = same_setting(DiskModel, "ring_radii")
    asymmetric_drift: bool = same_setting(DiskModel, "asymmetric_drift")
    arms: int = same_setting(DiskModel, "arms")
    clumps: int = same_setting(DiskModel, "clumps")
    warp: bool = same_setting(DiskModel, "warped")
    radial_flow: bool = same_setting(DiskModel, "radial_flow")


@dataclass(frozen=True)
class ParameterSettings:
    """What is known about the parameters, by their names."""

    free: tuple[str, ...] = setting(
        (), "free too, separated by commas: g1,g2 is the shear", "NAMES", adds_up=True
    )
    fix: dict[str, Any] = setting(
        default_factory=dict, help="not free; may be given again, as all that follow"
    )
    tie: dict[str, Any] = setting(
        default_factory=dict, help="follows another parameter", metavar="NAME=FACTOR*OTHER"
    )
    prior: dict[str, Any] = setting(default_factory=dict,
        help="normal:MEAN:SIGMA, lognormal:MEDIAN:SIGMA_OF_LN, uniform:LOW:HIGH,"
        " log_uniform:LOW:HIGH, isotropic:LOW:HIGH; of maximum_velocity also"
        " tully_fisher:LOG10_STELLAR_MASS, of concentration dutton_maccio:REDSHIFT, of"
        " log_halo_mass abundance_matching:LOG10_STELLAR_MASS:REDSHIFT", metavar="NAME=KIND:A:B",
        default_words="flat, isotropic for the inclination, for the concentration dutton_maccio")
    bound: dict[str, Any] = setting(default_factory=dict,
        help="limits of the default prior, or of a normal one", metavar="NAME=LOW:HIGH")
    start: dict[str, Any] = setting(
        default_factory=dict, help="first guess, in place of that from the moment maps"
    )


@dataclass(frozen=True)
class MethodSettings:
    """How the noise is treated, and the posterior drawn from."""

    method: Method = same_setting(SamplerSettings, "method")
    samples: int = same_setting(SamplerSettings, "wanted")
    most: int = same_setting(SamplerSettings, "most")
    chains: int = same_setting(SamplerSettings, "chains")
    noise_scale: float | None = same_setting(NoiseSettings, "scale")
    correlated: Correlated = same_setting(NoiseSettings, "correlated")
    robust: Robust = same_setting(NoiseSettings, "robust")
    accuracy: float | None = setting(None, "largest error of a rendered voxel over the peak",
        "SHARE", above=0, default_words="what the S/N asks for")
    seed: int = seed_setting(0, "of the samples, and of the noise of a set")
# fmt: on


@dataclass(frozen=True)
class FitSettings(MethodSettings, ParameterSettings, ModelSettings, FileSettings, LineSettings):
    """All that the result of a fit depends on, but for the cube; defaults measure one disk."""

    def __post_init__(self) -> None:
        check(self)
        free = tuple(name.replace("-", "_") for name in self.free)
        object.__setattr__(self, "free", free)
        for name in ("velocity_range", "subtract_continuum"):
            limits = getattr(self, name)
            if limits is not None and not limits[0] < limits[1]:
                low, high = limits
                raise InputError(f"`{name}` {low:g} {high:g}: expected LOW HIGH, rising")
        if self.curve and self.model:
            raise InputError(
                f"`model` {','.join(self.model)} and `curve` {','.join(self.curve)} both name the "
                "curve; give one of them"
            )
        if len(set(self.curves)) < len(self.curves):
            raise InputError(f"{','.join(self.curves)!r} names a model twice")
        self.check_spread()
        self._check_map()
        self._check_contradictions()
        _ = self.noise

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "FitSettings":
        """Build from names and values, as Python and YAML have them.

        Raises
        ------
        InputError
            If a name is unknown, a value out of range, or two contradict each other.
        """
        return from_mapping(cls, given)

    def but(self, own: Mapping[str, Any]) -> "FitSettings":
        """Return the same settings, but for some of them."""
        return replace(self, **own)

    @property
    def curves(self) -> tuple[str, ...]:
        """The curves, or lights and curves, that are asked for; empty for the default."""
        return self.curve or self.model

    @property
    def lines(self) -> tuple[str | float, ...] | None:
        """Names of lines, and rest wavelengths in Angstrom; None for what the file says.

        With the fainter line of [NII] or [OIII], where it lies among the channels.
        """
        if self.line is None:
            return None
        words = self.line.split(",") if isinstance(self.line, str) else self.line
        words = words if isinstance(words, list | tuple) else (words,)
        return with_fainter([_number_or_word(word) for word in words])

    @property
    def noise(self) -> NoiseSettings:
        """How the noise is treated."""
        return NoiseSettings(self.noise_scale, self.correlated, self.robust)

    @property
    def sampler(self) -> SamplerSettings:
        """How the posterior is drawn from."""
        return SamplerSettings(self.method, self.samples, self.most, self.chains)

    def chosen(self) -> dict[str, Any]:
        """Return what isn't the default, as plain numbers and words."""
        default = type(self)()
        names = sorted(one.name for one in fields(self))
        return {
            name: plain(getattr(self, name))
            for name in names
            if getattr(self, name) != getattr(default, name)
        }

    def _check_map(self) -> None:
        """Refuse settings of cubes for a velocity map, and of velocity maps for a cube."""
        wrong = _OF_CUBES if self.map else ("errors", "flux_map")
        for name in wrong:
            if getattr(self, name) != default_of(FitSettings, name):
                kinds = ("cubes", "velocity maps") if self.map else ("velocity maps", "cubes")
                raise InputError(f"`{name}` is about {kinds[0]}, not {kinds[1]}; leave it out")
        if self.map:
            check_for_maps([self.light, *(part for w in self.curves for part in w.split(":"))])
        if self.map and self.method == "nuts":
            raise InputError("`method` nuts is for cubes; choose importance or laplace for a `map`")

    def _check_contradictions(self) -> None:
        """Refuse a parameter that two settings want to be different things."""
        for place, first in enumerate(_ABOUT_PARAMETERS):
            for second in _ABOUT_PARAMETERS[place + 1 :]:
                if not {first, second} & {"fix", "tie"}:
                    continue
                for name in getattr(self, first):
                    if name in getattr(self, second):
                        one, other = (self._told(kind, name) for kind in (first, second))
                        raise InputError(
                            f"{one} and {other} contradict each other; give one of them"
                        )

    def _told(self, kind: str, name: str) -> str:
        values = getattr(self, kind)
        return f"`{kind}` {name}" + (f"={values[name]}" if isinstance(values, dict) else "")


@dataclass(frozen=True)
class BatchSettings:
    """How many cubes are fitted, and what is written of each."""

    catalog: Path | None = setting(
        None,
        "table of what differs from cube to cube: columns name (of the file, without its ending)"
        " and any of redshift, psf_fwhm, line_spread, size, ra, dec; instead of the flags of these"
        " names",
        "FILE",
        heading="the cubes",
    )
    output: Path = setting(
        Path("fits"),
        "made if it doesn't exist; gets results.ecsv, and of each cube NAME_table.ecsv and .fits,"
        " NAME_samples.fits, NAME_model.fits, NAME_residual.fits, NAME_maps.fits, NAME_slit.fits,"
        " NAME_profile.ecsv, NAME_curve.ecsv, NAME_quantities.ecsv, NAME_picture.png",
        "FOLDER",
    )
    picture: bool = setting(True, "draw the picture")
    wcs: bool = setting(
        False, "axes of its maps in right ascension and declination, where they are known"
    )
    model_cubes: bool = setting(True, "write model and residual cubes")
    maps: bool = setting(True, "write maps, slit, profiles and derived quantities")
    inference_data: bool = setting(
        False, "write the draws as ArviZ's InferenceData too, NAME_posterior.nc (needs arviz)"
    )
    overwrite: bool = setting(
        False,
        "fit again what is done; without it, cubes with a result of the same settings are skipped,"
        " and one of other settings is an error",
    )
    workers: int | None = workers_setting(help="processes, each of which fits a cube at a time")
    cluster: str | None = cluster_setting()

    def __post_init__(self) -> None:
        check(self)
        check_workplace(self)
        if self.wcs and not self.picture:
            raise InputError(
                "`wcs` is about the picture, which isn't drawn; leave it out, or draw that"
            )
        if self.inference_data and find_spec("arviz") is None:
            raise InputError(f"`inference_data`: {NO_ARVIZ}")


def check_for_maps(words: Collection[str]) -> None:
    """Refuse lights and curves, by their names, of which velocity maps don't tell enough.

    Raises
    ------
    InputError
        If there is one of them.
    """
    masses = (("curve", word) for word in MASS_CURVES)
    for kind, word in (("curve", "rings"), ("light", "map"), *masses):
        if word in words:
            raise InputError(f"`{kind}` {word} is for cubes; choose another one for a `map`")


def settings_about_files(settings: FitSettings) -> str | None:
    """Return the name of a chosen setting that only a file of observations has a use for."""
    names = {*settings_of(LineSettings), *settings_of(FileSettings)}
    return next((name for name in settings.chosen() if name in names), None)


def _number_or_word(word: str | float) -> str | float:
    try:
        return float(word)
    except ValueError:
        return str(word).strip()
