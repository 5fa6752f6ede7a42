"""Measuring disks: from a cube to parameters with error bars."""

from clumpygan.fitting.amortised import AmortisedPosterior
from clumpygan.fitting.choices import ParameterChoices
from clumpygan.fitting.comparison import ModelComparison, compare_models
from clumpygan.fitting.cube_observation import observe_cube
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.likelihood import NoiseSettings
from clumpygan.fitting.observation import Observation, ObservedFrame, observe
from clumpygan.fitting.posterior import SamplerSettings
from clumpygan.fitting.priors import FitPrior, parse_prior, tully_fisher_prior
from clumpygan.fitting.result import FitResult

__all__ = [
    "AmortisedPosterior",
    "DiskFitter",
    "FitPrior",
    "FitResult",
    "ModelComparison",
    "NoiseSettings",
    "Observation",
    "ObservedFrame",
    "ParameterChoices",
    "SamplerSettings",
    "compare_models",
    "observe",
    "observe_cube",
    "parse_prior",
    "tully_fisher_prior",
]
