"""Draws from the posterior by the method asked for, and the Laplace approximation."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.draws import Draws
from clumpygan.fitting.importance import draw_importance
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

Method = Literal["laplace", "importance", "nuts", "amortised"]

METHODS_WITHOUT_EVIDENCE: tuple[Method, ...] = ("nuts",)

_LAPLACE_DRAWS = 2000


@dataclass(frozen=True)
class SamplerSettings:
    """How the posterior is drawn from.

    Attributes
    ----------
    method : str
        "laplace": a Gaussian around the optimum, in unconstrained coordinates; in no time.
        "importance": exact draws, proposed by an emulator of the posterior and weighted with the
        renderer (`clumpygan.fitting.importance`); about a second.
        "nuts": the no-U-turn sampler of nutpie on the gradient of the torch renderer, of the extra
        `fit`; many times as long, with no use of emulators.
        "amortised": a trained network (`clumpygan.fitting.amortised`), which `DiskFitter` is given
        as `posterior`; in milliseconds without the correction.
    wanted : int
        Effective draws for every parameter; fewer are a problem that the result reports.
    most : int
        Cubes that are rendered at most, by "importance" and "amortised".
    chains : int
        Of "nuts"; R-hat compares them.
    correct : bool
        Whether draws of "amortised" are weighted with the renderer.
    """

    method: Method = "importance"
    wanted: int = 400
    most: int = 5000
    chains: int = 4
    correct: bool = True

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InputError(
                f"method is {self.method!r}; expected one of {', '.join(get_args(Method))}"
            )
        for name, least in (("wanted", 1), ("most", 1), ("chains", 2)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; expected {least} or more")


def draw_posterior(
    target: Target,
    optimum: Optimum,
    settings: SamplerSettings,
    generator: np.random.Generator,
) -> Draws:
    """Draw from a posterior, by the method of the settings.

    Raises
    ------
    InputError
        If the method needs a package that isn't installed.
    """
    if settings.method == "laplace":
        return draw_laplace(optimum, generator)
    if settings.method == "importance":
        return draw_importance(target, optimum, generator, settings.wanted, settings.most)
    from clumpygan.fitting.nuts import draw_nuts

    return draw_nuts(target, optimum, generator, settings.wanted, settings.chains)


def draw_laplace(
    optimum: Optimum, generator: np.random.Generator, count: int = _LAPLACE_DRAWS
) -> Draws:
    """Draw from the Gaussian whose mode and curvature are those of the posterior.

    Its evidence is log Z = log p + n / 2 log(2 pi) - log det(H) / 2, p and H being the density and
    the Hessian of -log p at the optimum (MacKay 2003, equation 27.4).
    """
    n = optimum.coordinates.size
    root = np.linalg.cholesky(optimum.covariance)
    evidence = optimum.log_density + 0.5 * n * math.log(2 * math.pi)
    evidence -= 0.5 * float(np.linalg.slogdet(optimum.hessian)[1])
    return Draws(
        "laplace",
        optimum.coordinates + generator.standard_normal((count, n)) @ root.T,
        np.full(count, 1 / count),
        np.full(n, float(count)),
        evidence,
    )
