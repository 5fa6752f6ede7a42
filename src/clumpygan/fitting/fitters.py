"""The fitters that settings ask for: the model, its parameters, and their priors."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError
from clumpygan.fitting.comparison import check_evidence
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.input_cubes import spectrograph_of
from clumpygan.fitting.maps.fitter import MapFitter
from clumpygan.fitting.observation import Frame
from clumpygan.fitting.priors import FitPrior, parse_prior
from clumpygan.fitting.sampling.nuts import check_nutpie
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.disks.disk_table import WARP_PARAMETERS
from clumpygan.galaxies.disks.parameters import CURVES, LIGHTS, DiskModel, Parameter
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.instruments.line_spread import LSF, ResolvingPower
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spread import PSF, GaussianPSF, MoffatPSF
from clumpygan.io.rotation_table import read_rotation_table
from clumpygan.io.spread_functions import read_line_spread, read_measured_psf
from clumpygan.settings import did_you_mean

_CUT = ("normal", "lognormal")
"""Kinds of priors that `bound` can cut."""

_HINTS = {"clump_": ", raise `clumps`", "ring_": ", give `ring_radii`"}
"""How a model gets the parameters whose names begin so."""


def fitters_of(
    settings: FitSettings, frame: Frame | None = None, pixel_scale: float | None = None
) -> dict[str, DiskFitter]:
    """Return the fitters that settings ask for, by rotation curve, or by light and curve.

    Parameters
    ----------
    settings : FitSettings
    frame : Frame, optional
        Of arrays, in place of what the settings say of the observation.
    pixel_scale : float, optional
        Of the cube, once it is known: files of PSFs are read then.

    Raises
    ------
    InputError
        If a parameter is unknown, settings contradict each other, or a value is out of range.
    """
    models = {word: _light_and_curve(settings, word) for word in settings.curves}
    curves, table = tuple(curve for _, curve in models.values()), settings.rotation_table
    if table is not None and "table" not in curves:
        if len(curves) == 1:
            raise InputError(
                f"`rotation_table` is that of `curve` table, not {curves[0]}; leave one of them out"
            )
        if curves:
            raise InputError(
                "`rotation_table` is that of the curve table; expected it in `model` "
                f"{','.join(curves)}"
            )
        models, curves = {"table": (settings.light, "table")}, ("table",)
    if settings.ring_radii and "rings" not in curves:
        raise InputError(
            "`ring_radii` are those of `curve` rings, which isn't asked for; give both, or neither"
        )
    models = models or {DiskModel().curve: (settings.light, DiskModel().curve)}
    if len(models) > 1:
        check_evidence(settings.method)
    fitters = {}
    for word, (light, curve) in models.items():
        model = fitted_model(settings, light, curve, frame)
        fitters[word] = _fitter_of(settings, model, frame, pixel_scale)
    return fitters


def _light_and_curve(settings: FitSettings, word: str) -> tuple[str, str]:
    """Return light and curve of CURVE or LIGHT:CURVE."""
    light, colon, curve = word.rpartition(":")
    if curve not in CURVES or (colon and light not in LIGHTS):
        kind, wrong, known = ("curve", curve, CURVES)
        if curve in CURVES:
            kind, wrong, known = ("light", light, LIGHTS)
        raise InputError(
            f"`model` {word}: there is no {kind} {wrong!r}{did_you_mean(wrong, known)}; expected "
            f"one of {', '.join(known)}"
        )
    if colon and settings.light not in (DiskModel().light, light):
        raise InputError(
            f"`model` {word} and `light` {settings.light} both name the light; give one of them"
        )
    return light or settings.light, curve


def fitted_model(
    settings: FitSettings, light: str, curve: str, frame: Frame | None = None
) -> DiskModel:
    """Return the model of a light and a curve.

    It is warped, or has a radial flow, if a parameter of it is asked for. Every line beyond the
    second has a ratio.
    """
    named = {*settings.free, *settings.fix, *settings.tie, *settings.prior, *settings.bound}
    warped = settings.warp or not named.isdisjoint(WARP_PARAMETERS)
    table: Any = settings.rotation_table if curve == "table" else ()
    if table is None:
        raise InputError("`curve` table needs `rotation_table` FILE")
    lines = 1 if settings.lines is None else len(rest_wavelengths(settings.lines))
    if frame is not None:
        lines = len(frame.grid.edges)
    return DiskModel(
        light=light,  # type: ignore[arg-type]
        vertical=settings.vertical,
        curve=curve,  # type: ignore[arg-type]
        asymmetric_drift=settings.asymmetric_drift,
        arms=settings.arms,
        clumps=settings.clumps,
        warped=warped,
        radial_flow=settings.radial_flow or "radial_velocity" in named,
        extra_lines=max(lines - 2, 0),
        rotation_table=read_rotation_table(table) if isinstance(table, Path) else table,
        ring_radii=settings.ring_radii if curve == "rings" else (),
    )


def psf_of(
    settings: FitSettings, instrument: Spectrograph | None, pixel_scale: float | None
) -> PSF | None:
    """Return the PSF of `psf`, or the one with the shape that settings give; None without.

    Parameters
    ----------
    settings : FitSettings
    instrument : Spectrograph, optional
        Whose kind of PSF it is, where no other is asked for.
    pixel_scale : float, optional
        Of the cube, arcsec: that of a PSF which doesn't say its own. Without it no file is read,
        and the answer None.

    Raises
    ------
    InputError
        If a file can't be read, or is no PSF.
    """
    if settings.psf is not None:
        if pixel_scale is None:
            return None
        return read_measured_psf(Path(settings.psf), settings.psf_scale, pixel_scale)
    told = {"axis_ratio": settings.psf_axis_ratio, "angle": settings.psf_angle}
    shape = {name: value for name, value in told.items() if value is not None}
    if settings.psf_fwhm is None or not (shape or settings.psf_beta):
        return None
    if settings.psf_beta is not None:
        return MoffatPSF(settings.psf_fwhm, settings.psf_beta, **shape)
    own = None if instrument is None else instrument.psf
    if isinstance(own, MoffatPSF):
        return MoffatPSF(settings.psf_fwhm, own.beta, **shape)
    return GaussianPSF(settings.psf_fwhm, **shape)


def lsf_of(settings: FitSettings) -> LSF | None:
    """Return the line spread function of `lsf` or `resolving_power`, None without."""
    if settings.resolving_power is not None:
        return ResolvingPower(settings.resolving_power)
    if settings.lsf is None or "{name}" in settings.lsf:
        return None
    return read_line_spread(Path(settings.lsf))


def _fitter_of(
    settings: FitSettings, model: DiskModel, frame: Frame | None, pixel_scale: float | None
) -> DiskFitter:
    _check_names(settings, model)
    if settings.method == "nuts":
        if model.light == "map":
            raise InputError(
                "`method` nuts can't integrate over the map of `light` map; expected importance or "
                "laplace"
            )
        check_nutpie()
    observed: dict[str, Any] = {}
    if frame is None:
        observed = {
            "lines": settings.lines,
            "redshift": settings.redshift,
            "psf_fwhm": settings.psf_fwhm,
            "line_spread": settings.line_spread,
            "psf": psf_of(settings, spectrograph_of(settings), pixel_scale),
            "lsf": lsf_of(settings),
        }
    kind = MapFitter if settings.map else DiskFitter
    return kind(
        model,
        spectrograph_of(settings) if frame is None else frame,
        free=settings.free,
        fixed=_numbers("fix", settings.fix),
        tied=settings.tie,
        priors=_priors(settings, {row.name: row for row in model.table}),
        starts=_numbers("start", settings.start),
        noise=settings.noise,
        sampler=settings.sampler,
        accuracy=settings.accuracy,
        distance=settings.distance,
        **observed,
    )


def _check_names(settings: FitSettings, model: DiskModel) -> None:
    """Refuse parameters that the model doesn't have, and say which setting names them."""
    for kind in ("free", "fix", "tie", "prior", "bound", "start"):
        for name in getattr(settings, kind):
            try:
                model.index(name)
            except InputError as problem:
                hint = next((h for start, h in _HINTS.items() if name.startswith(start)), "")
                raise InputError(f"`{kind}`: {problem}{hint}") from problem


def _priors(settings: FitSettings, table: Mapping[str, Parameter]) -> dict[str, str | FitPrior]:
    """Return the priors of `prior` and `bound`."""
    priors: dict[str, str | FitPrior] = dict(settings.prior)
    for name, text in settings.bound.items():
        row = table[name]
        low, high = _ends(name, text)
        if name not in settings.prior:
            priors[name] = f"default:{low:.17g}:{high:.17g}"
            continue
        given = settings.prior[name]
        prior = given if isinstance(given, FitPrior) else parse_prior(given, row)
        if prior.kind not in _CUT:
            raise InputError(
                f"`prior` {name}={given} and `bound` {name}={text} both say from where to where; "
                "give one of them"
            )
        try:
            priors[name] = replace(prior, minimum=row.check(low), maximum=row.check(high))
        except InputError as problem:
            raise InputError(f"`bound` {name}={text}: {problem}") from problem
    return priors


def _ends(name: str, given: Any) -> tuple[float, float]:
    """Return the ends of LOW:HIGH, or of a pair of numbers."""
    ends = given.split(":") if isinstance(given, str) else given
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise InputError(f"`bound` {name}={given}: expected LOW:HIGH, rising numbers")
    return low, high


def _numbers(kind: str, given: Mapping[str, Any]) -> dict[str, float]:
    numbers = {}
    for name, value in given.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            raise InputError(f"`{kind}` {name}={value}: expected a number") from None
    return numbers
