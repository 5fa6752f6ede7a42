"""Images: the population, their observation, and what is recovered of them."""

import numpy as np
import torch

import clumpygan
from clumpygan.evaluation.recovery.baselines import richardson_lucy
from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    matching_transfer,
)
from clumpygan.recovery.resolver import SuperResolver


class Galaxies:
    """Galaxies of the population: drawn, and as HST sees them."""

    def setup(self) -> None:
        self.table = draw_population(range(4), seed=0)
        self.renderer = StampRenderer(psf=HST_WFC3_F160W.psf())
        self.renderer.render(self.table[0])

    def time_draw_population(self) -> None:
        draw_population(range(20), seed=0)

    def time_render_stamps(self) -> None:
        for row in self.table:
            self.renderer.render(row)


class Observed:
    """A stamp of 40 HSC pixels: seen, deconvolved, recovered."""

    def setup(self) -> None:
        self.operator = ObservationOperator()
        renderer = StampRenderer(psf=HST_WFC3_F160W.psf())
        truth = renderer.render(draw_population(range(1), seed=3)[0])
        self.truth = torch.from_numpy(np.asarray(truth))[None, None]
        self.response = self.transfer(self.operator.frequencies((40, 40)))
        self.sigma = torch.tensor([HSC_WIDE_I.sky_sigma])
        noise = torch.randn((1, 1, 40, 40), generator=torch.Generator().manual_seed(1))
        self.observed = self.operator(self.truth, self.response) + self.sigma * noise
        self.resolver = SuperResolver.from_checkpoint("super_resolution")

    @staticmethod
    def transfer(frequencies: torch.Tensor) -> torch.Tensor:
        return matching_transfer(HSC_WIDE_I.psf(), HST_WFC3_F160W.psf(), frequencies)[None]

    def time_observe(self) -> None:
        self.operator(self.truth, self.response)

    def time_richardson_lucy(self) -> None:
        richardson_lucy(self.observed, self.sigma, self.response, self.operator, iterations=(50,))

    def time_recover(self) -> None:
        self.resolver.recover(self.observed, self.sigma, self.transfer, samples=2, seed=0)

    def peakmem_recover(self) -> None:
        self.time_recover()


class Generated:
    """Images of galaxies from noise, by the network that ships."""

    def time_generate_galaxies(self) -> None:
        clumpygan.generate_galaxies(8, seed=1)


class Programs:
    """What every program waits for."""

    def timeraw_import(self) -> str:
        return "import clumpygan"

    def timeraw_help(self) -> str:
        return (
            "import contextlib, io\n"
            "from clumpygan.commands.recover import main\n"
            "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
            "    main(['--help'])"
        )
