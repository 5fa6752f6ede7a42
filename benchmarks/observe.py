"""What observing a stamp costs: the batched operator next to GalSim's route, one thread each.

python benchmarks/observe.py
"""

import time
from collections.abc import Callable

import galsim
import torch

from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    matching_transfer,
)

BATCH, COARSE, REPEATS = 16, 40, 20


def best_milliseconds(function: Callable[[], object], stamps: int, repeats: int) -> float:
    """Shortest time per stamp of several runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times) / stamps


def main() -> None:
    torch.set_num_threads(1)
    narrow, wide = HST_WFC3_F160W.psf(), HSC_WIDE_I.psf()
    operator = ObservationOperator()
    transfer = matching_transfer(wide, narrow, operator.frequencies((COARSE, COARSE)))
    size = operator.fine_shape((COARSE, COARSE))[0]
    galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=0.4, flux=1000), narrow)
    stamp = galaxy.drawImage(nx=size, ny=size, scale=HST_WFC3_F160W.pixel_scale, method="no_pixel")
    batch = torch.from_numpy(stamp.array).expand(BATCH, 1, size, size).contiguous()
    differentiable = batch.clone().requires_grad_()

    def galsim_route() -> galsim.Image:
        # A new image each time: GalSim remembers the transform of an object it has seen.
        sky = galsim.InterpolatedImage(stamp, x_interpolant="quintic")
        seen = galsim.Convolve(sky, galsim.Deconvolve(narrow), wide)
        return seen.drawImage(nx=COARSE, ny=COARSE, scale=HSC_WIDE_I.pixel_scale, method="no_pixel")

    def with_gradient() -> None:
        operator(differentiable, transfer).square().sum().backward()

    theirs = best_milliseconds(galsim_route, 1, REPEATS)
    ours = best_milliseconds(lambda: operator(batch, transfer), BATCH, REPEATS)
    both = best_milliseconds(with_gradient, BATCH, REPEATS)
    print(f"operator, batch of {BATCH}:   {ours:7.3f} ms per {size} -> {COARSE} stamp")
    print(f"  with its gradient:    {both:7.3f} ms")
    print(f"GalSim's route:         {theirs:7.3f} ms")
    print(f"ratio GalSim / operator: {theirs / ours:.0f}")


if __name__ == "__main__":
    main()
