"""What the flags of `fit.py` choose: the model, its parameters, and the fitter."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from clumpygan.commands.cube_flags import model_of
from clumpygan.commands.fit_posterior import posterior_of
from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, FitPrior, NoiseSettings, SamplerSettings, parse_prior
from clumpygan.fitting.comparison import check_evidence
from clumpygan.fitting.nuts import check_nutpie
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.galaxies.parameters import DiskModel, Parameter
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spectrograph_presets import get_spectrograph

_CUT = ("normal", "lognormal")


def fitters_of(options: Namespace, frame: Any = None) -> dict[str, DiskFitter]:
    """Return the fitters that the flags ask for, by their rotation curves; see `fitter_of`."""
    if options.models is None:
        fitter = fitter_of(options, frame)
        return {fitter.model.curve: fitter}
    if options.curve is not None:
        raise InputError(
            f"--model {','.join(options.models)} and --curve {options.curve} both name the curve; "
            "give one of them"
        )
    if len(options.models) > 1:
        check_evidence(options.method)
    fitters = {}
    for curve in options.models:
        # A table of velocities is that of the curve "table", if there are several.
        table = options.rotation_table if curve == "table" or len(options.models) == 1 else None
        chosen = {"curve": curve, "rotation_table": table}
        fitters[curve] = fitter_of(Namespace(**vars(options) | chosen), frame)
    if options.rotation_table is not None and "table" not in fitters:
        raise InputError(
            f"--rotation-table is that of the curve table; expected it in --model "
            f"{','.join(options.models)}"
        )
    return fitters


def fitter_of(options: Namespace, frame: Any = None) -> DiskFitter:
    """Return the fitter that the flags ask for.

    Parameters
    ----------
    options : argparse.Namespace
        Of `fit.py`.
    frame : Frame, optional
        Of cubes of a prepared set, in place of what the flags say of the observation.

    Raises
    ------
    InputError
        If a parameter is unknown, flags contradict each other, or a value is out of range.
    """
    model = fitted_model(options)
    _check_names(options, model)
    _check_contradictions(options)
    if options.method == "nuts":
        check_nutpie()
    table = {row.name: row for row in model.table}
    observed: dict[str, Any] = {}
    if frame is None:
        observed = {
            "lines": lines_of(options.line),
            "redshift": options.redshift,
            "psf_fwhm": options.psf_fwhm,
            "line_spread": options.line_spread,
        }
    return DiskFitter(
        model,
        spectrograph_of(options) if frame is None else frame,
        free=tuple(options.free),
        fixed={name: _number("--fix", name, text) for name, text in options.fix.items()},
        tied=options.tie,
        priors=_priors(options, table),
        starts={name: _number("--start", name, text) for name, text in options.start.items()},
        noise=NoiseSettings(options.noise_scale, options.correlated, options.robust),
        sampler=SamplerSettings(
            options.method, options.samples, options.most, options.chains, options.correct
        ),
        accuracy=options.accuracy,
        posterior=posterior_of(options),
        **observed,
    )


def fitted_model(options: Namespace) -> DiskModel:
    """Return the model; it is warped if a parameter of the warp is asked for.

    Every line beyond the second has a ratio.
    """
    named = {*options.free, *options.fix, *options.tie, *options.prior, *options.bound}
    warped = options.warp or any(name.startswith("warp_") for name in named)
    lines = () if options.line is None else rest_wavelengths(lines_of(options.line) or ())
    return replace(model_of(options), warped=warped, extra_lines=max(len(lines) - 2, 0))


def lines_of(text: str | None) -> tuple[str | float, ...] | None:
    """Return names of lines and rest wavelengths in Angstrom, separated by commas in a text."""
    if text is None:
        return None
    lines: list[str | float] = []
    for word in text.split(","):
        try:
            lines.append(float(word))
        except ValueError:
            lines.append(word.strip())
    return tuple(lines)


def spectrograph_of(options: Namespace) -> Spectrograph | None:
    """Return the spectrograph that --instrument names."""
    return None if options.instrument.lower() == "none" else get_spectrograph(options.instrument)


def _check_names(options: Namespace, model: DiskModel) -> None:
    for flag in ("free", "fix", "tie", "prior", "bound", "start"):
        for name in getattr(options, flag):
            if name in model.names:
                continue
            near = difflib.get_close_matches(name, model.names, 3, 0.5)
            meant = f"did you mean {', '.join(near)}? " if near else ""
            hint = ", raise --clumps" if name.startswith("clump_") else ""
            raise InputError(
                f"--{flag} {name}: no such parameter; {meant}expected one of "
                f"{', '.join(model.names)}{hint}"
            )


def _check_contradictions(options: Namespace) -> None:
    """Refuse a parameter that two flags want to be different things."""
    for first, second in combinations(("fix", "tie", "free", "prior", "bound", "start"), 2):
        if not {first, second} & {"fix", "tie"}:
            continue
        for name in getattr(options, first):
            if name in getattr(options, second):
                one, other = (
                    f"--{flag} {name}"
                    + (f"={text}" if (text := getattr(options, flag)[name]) else "")
                    for flag in (first, second)
                )
                raise InputError(f"{one} and {other} contradict each other; give one of them")


def _priors(options: Namespace, table: Mapping[str, Parameter]) -> dict[str, str | FitPrior]:
    """Return the priors of --prior and --bound."""
    priors: dict[str, str | FitPrior] = dict(options.prior)
    for name, text in options.bound.items():
        row = table[name]
        low, high = _ends(name, text)
        if name not in options.prior:
            kind = row.prior.kind
            if kind not in ("isotropic", "log_uniform") or (kind == "log_uniform" and low <= 0):
                kind = "uniform"
            priors[name] = f"{kind}:{low:.17g}:{high:.17g}"
            continue
        prior = parse_prior(options.prior[name], row)
        if prior.kind not in _CUT:
            raise InputError(
                f"--prior {name}={options.prior[name]} and --bound {name}={text} both say from "
                "where to where; give one of them"
            )
        try:
            priors[name] = replace(prior, minimum=row.check(low), maximum=row.check(high))
        except InputError as problem:
            raise InputError(f"--bound {name}={text}: {problem}") from problem
    return priors


def _ends(name: str, text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = (0.0, 0.0)
    if not colon or not ends[0] < ends[1]:
        raise InputError(f"--bound {name}={text}: expected LOW:HIGH, rising numbers")
    return ends


def _number(flag: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{flag} {name}={text}: expected a number") from None
