"""Draws by the no-U-turn sampler of nutpie, on the exact gradient of the torch renderer.

The chains run in the coordinates in which the Laplace approximation is standard normal, on a
sampling of the cubes that is fine enough for all of the posterior, and fixed: the density is
smooth.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import LARGEST_R_HAT, Draws
from clumpygan.fitting.sampling.emulator import Whitening
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.target import Target
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.galaxies.rendering.cube_torch import TorchCubeRenderer

FloatArray = NDArray[np.float64]

_TUNING = 150
"""Steps of each chain in which its step size is found: the coordinates need little more."""

_EFFICIENCY = 0.4
"""Effective draws for each, of the worst parameter, that are counted on."""

_SPREAD, _REACH = 32, 1.5
"""Draws from the Laplace approximation, and how much wider than it they are, for which the sampling
of the cubes is chosen."""


def check_nutpie() -> None:
    """Refuse to go on if the sampler isn't installed.

    Raises
    ------
    InputError
        If it isn't.
    """
    if find_spec("nutpie") is None:
        raise InputError(
            "method 'nuts' needs nutpie: install the extra, pip install 'clumpygan[fit]', or "
            "choose the method 'importance'"
        )


def draw_nuts(
    target: Target, optimum: Optimum, settings: SamplerSettings, generator: np.random.Generator
) -> Draws:
    """Draw, as `posterior.draw_posterior` asks for, in as many chains as the settings say.

    Effective draws are those of bulk and tail (Vehtari et al. 2021). The draws have problems where
    chains differ or diverge, or there are too few of them.

    Raises
    ------
    InputError
        If nutpie isn't installed.
    """
    wanted, chains = settings.wanted, settings.chains
    check_nutpie()
    with warnings.catch_warnings():
        # ArviZ tells of its plans once a day: not in the midst of a fit.
        warnings.filterwarnings("ignore", message="\nArviZ is undergoing", category=FutureWarning)
        import arviz
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc

    whitening = Whitening(optimum.coordinates, optimum.covariance)
    n = optimum.coordinates.size
    density = WhitenedDensity(target, whitening, generator)
    starts = generator.standard_normal((chains, n))
    turn = iter(range(chains))

    def make_expand(*_: Any) -> Callable[[FloatArray], dict[str, FloatArray]]:
        return lambda x: {"x": x}

    compiled = from_pyfunc(
        n,
        lambda: density,
        make_expand,
        [np.dtype("float64")],
        [(n,)],
        ["x"],
        make_initial_point_fn=lambda _: starts[next(turn) % chains],
    )
    trace = nutpie.sample(
        compiled,
        draws=int(np.ceil(wanted / chains / _EFFICIENCY)),
        tune=_TUNING,
        chains=chains,
        cores=1,
        seed=int(generator.integers(2**31)),
        progress_bar=False,
        save_warmup=False,
    )
    x = np.asarray(trace.posterior["x"])
    u = whitening.coordinates(x)
    posterior = arviz.convert_to_dataset({"u": u})
    r_hat = np.asarray(arviz.rhat(posterior)["u"])
    effective = np.minimum(
        np.asarray(arviz.ess(posterior)["u"]), np.asarray(arviz.ess(posterior, method="tail")["u"])
    )
    names = target.coordinates.names
    problems = [
        f"R-hat of {name} is {value:.3f}, above {LARGEST_R_HAT}"
        for name, value in zip(names, r_hat, strict=True)
        if not value <= LARGEST_R_HAT
    ]
    if not effective.min() >= wanted:
        few = int(effective.argmin())
        problems.append(
            f"{effective[few]:.0f} effective draws of {names[few]}, fewer than {wanted}"
        )
    if diverged := int(np.asarray(trace.sample_stats["diverging"]).sum()):
        problems.append(f"{diverged} transitions of the sampler diverged")
    count = chains * x.shape[1]
    return Draws(
        "nuts",
        u.reshape(count, n),
        np.full(count, 1 / count),
        effective,
        r_hat=r_hat,
        problems=tuple(problems),
    )


class WhitenedDensity:
    """The log density and its gradient in whitened coordinates, from the torch renderer.

    Parameters
    ----------
    target : Target
    whitening : Whitening
    generator : numpy.random.Generator
        Of the draws for which the sampling of the cubes is chosen.
    """

    def __init__(
        self, target: Target, whitening: Whitening, generator: np.random.Generator
    ) -> None:
        self.target, self.whitening = target, whitening
        compiled = target.renderer
        assert isinstance(compiled, CubeRenderer)  # others have no gradient
        reach = _REACH * generator.standard_normal((_SPREAD, whitening.middle.size))
        self._renderer = TorchCubeRenderer(
            compiled.grid,
            compiled.model,
            compiled.optics.psf,
            compiled.accuracy,
            like=target.coordinates.vectors(whitening.coordinates(reach)),
        )

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return log density and gradient (n,) at whitened coordinates (n,)."""
        coordinates, likelihood = self.target.coordinates, self.target.likelihood
        u = self.whitening.coordinates(x)
        vector = torch.tensor(coordinates.vectors(u)[None], requires_grad=True)
        cube = self._renderer(vector)
        self.target.evaluations += 1
        z = likelihood.residuals(cube.detach().numpy()[0, 0])
        cube.backward(torch.from_numpy(likelihood.gradient(z)).to(cube.dtype)[None, None])
        assert vector.grad is not None
        slope = coordinates.gradient(u, vector.grad.numpy()[0].astype(np.float64)) - u
        return self.target.log_density(u, z), np.asarray(slope @ self.whitening.axes)
