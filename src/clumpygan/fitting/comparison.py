"""Which of several models a cube asks for: their evidences."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy.special import softmax

from clumpygan.errors import InputError
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.result import FitResult
from clumpygan.fitting.settings import METHODS_WITHOUT_EVIDENCE


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Fits of several models to the same cube.

    Attributes
    ----------
    results : mapping of str to FitResult
        By the names of the models.
    """

    results: Mapping[str, FitResult]

    @property
    def probabilities(self) -> dict[str, float]:
        """Probabilities of the models, if each was as likely as the others beforehand.

        p_k = Z_k / sum_j Z_j, Z being the evidence (MacKay 2003, equation 28.1): the likelihood
        averaged over the prior, so that parameters whose priors are wide cost something.
        """
        evidences = [result.log_evidence for result in self.results.values()]
        return dict(zip(self.results, softmax(evidences).tolist(), strict=True))

    @property
    def best(self) -> str:
        """The name of the most probable model."""
        return max(self.probabilities.items(), key=lambda pair: pair[1])[0]

    @property
    def table(self) -> Table:
        """A row for each model, the most probable first.

        `model`, `probability`, `log_evidence` and its standard error (NaN of the method
        "laplace"), `log_bayes_factor` relative to the most probable, `chi_squared`,
        `degrees_of_freedom`, `problems`.
        """
        shares, best = self.probabilities, self.results[self.best]
        rows = []
        for name in sorted(shares, key=lambda one: -shares[one]):
            result = self.results[name]
            assert result.log_evidence is not None
            assert best.log_evidence is not None
            error = result.draws.log_evidence_error
            rows.append(
                {
                    "model": name,
                    "probability": shares[name],
                    "log_evidence": result.log_evidence,
                    "log_evidence_error": np.nan if error is None else error,
                    "log_bayes_factor": result.log_evidence - best.log_evidence,
                    "chi_squared": result.chi_squared,
                    "degrees_of_freedom": result.degrees_of_freedom,
                    "problems": "; ".join(result.problems),
                }
            )
        return Table(rows)


def compare_models(
    fitters: Mapping[str, DiskFitter], observation: Observation, *, seed: int = 0
) -> ModelComparison:
    """Fit several models to the same cube.

    Evidences depend on the priors: those of parameters that models share should be the same, as
    the defaults are.

    Parameters
    ----------
    fitters : mapping of str to DiskFitter
        By the names of the models.
    observation : Observation
        As `DiskFitter.observe` returns it.
    seed : int
        Of the draws.

    Returns
    -------
    ModelComparison

    Raises
    ------
    InputError
        If there are fewer than two models, or a fitter draws by a method that knows no evidence.

    Examples
    --------
    >>> fitters = {  # doctest: +SKIP
    ...     curve: DiskFitter(DiskModel(curve=curve), frame) for curve in ("arctan", "tanh")
    ... }
    >>> observed = fitters["tanh"].observe(data, variance)  # doctest: +SKIP
    >>> compare_models(fitters, observed).table  # doctest: +SKIP
    """
    if len(fitters) < 2:
        raise InputError(f"{len(fitters)} models to compare; expected two or more")
    for fitter in fitters.values():
        check_evidence(fitter.sampler.method)
    results = {}
    for name, fitter in fitters.items():
        results[name] = fitter.fit_observation(observation, seed=seed)
        if results[name].log_evidence is None:
            raise InputError(
                f"the fit of {name} gives no evidence to compare models by; choose the method "
                "'importance' or 'laplace'"
            )
    return ModelComparison(results)


def check_evidence(method: str) -> None:
    """Refuse a method of sampling that knows no evidence.

    Raises
    ------
    InputError
        If it is one.
    """
    if method in METHODS_WITHOUT_EVIDENCE:
        raise InputError(
            f"method {method!r} gives no evidence to compare models by; choose 'importance' or "
            "'laplace'"
        )
