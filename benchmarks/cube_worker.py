"""One code that renders cubes, in a process of its own: `cubes.py` starts it and asks by lines.

    python benchmarks/cube_worker.py CODE [PEER_SCRIPTS]

Each line on stdin is a request in JSON, each line on stdout its answer: {"case", "setting"} with
"seconds", to draw until so much CPU time is spent (CPU milliseconds of each cube), or with
"errors", to compare with the reference. Whatever the packages print goes to stderr. It runs in the
peers' environments, so that clumpygan is imported only where it is the code.
"""

import importlib.metadata
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from cube_cases import CASES, CHANNEL_WIDTH, LINE_SPREAD, PIXEL_SCALE, errors, transfer

FINE = 1e-5
"""Accuracy of our own cubes that stand in for the reference where its scripts are absent."""


@dataclass(frozen=True)
class Job:
    """What to time, and how to judge what it draws.

    Attributes
    ----------
    draw : callable
        Of the number of the repetition; what it returns isn't looked at.
    cube : callable
        Returns the cube (v, y, x).
    references : callable
        Returns convention -> cube; a code is compared in the one that is its own: the nearest.
    channel_width : float
        km/s.
    batch : int
        Cubes that are drawn at once.
    """

    draw: Callable[[int], object]
    cube: Callable[[], np.ndarray]
    references: Callable[[], dict[str, np.ndarray]]
    channel_width: float = CHANNEL_WIDTH
    batch: int = 1


def peer_reference(name: str, suffix: str = "") -> dict[str, np.ndarray]:
    """Return the brute-force reference of a case, computed once: convention -> cube."""
    from reference import cached_reference

    stored = cached_reference(name)
    return {mode: stored[mode + suffix] for mode in ("int", "samp")}


def variations(names: list[str], values: dict[str, float], count: int) -> np.ndarray:
    """Return parameter vectors around given values; nothing drawn twice can be remembered."""
    from clumpygan.galaxies import DiskModel, DiskParameters

    first = DiskParameters.from_dict(values, DiskModel(curve="tanh")).to_vector()
    vectors = np.repeat(first[None], count, axis=0)
    changed = [names.index(name) for name in values if name != "flux"]
    factors = np.random.default_rng(0).normal(1.0, 0.01, (count - 1, len(changed)))
    vectors[1:, changed] *= factors
    return vectors


def our_grid(case: str, sampled: bool) -> Any:
    from clumpygan.galaxies import CubeGrid

    return CubeGrid.velocities(
        (CASES[case].size,) * 3,
        PIXEL_SCALE,
        CHANNEL_WIDTH,
        line_spread=LINE_SPREAD,
        pixel_response=not sampled,
        channel_response=not sampled,
    )


def our_references(case: str, thick: bool) -> dict[str, np.ndarray]:
    """Return the peers' reference, or ours at a high accuracy where there is none."""
    try:
        return peer_reference(case, "_gp" if thick else "")
    except ImportError:
        return {m: our_cube(case, thick, m == "samp", FINE) for m in ("int", "samp")}


def our_cube(case: str, thick: bool, sampled: bool, accuracy: float) -> np.ndarray:
    from clumpygan.galaxies import DiskModel, DiskParameters, render_cube

    values = CASES[case].parameters(thick)
    parameters = DiskParameters.from_dict(values, DiskModel(curve="tanh"))
    return render_cube(parameters, our_grid(case, sampled), psf=transfer, accuracy=accuracy)


def clumpygan_numba(case: str, setting: dict[str, Any]) -> Job:
    from clumpygan.galaxies import CubeRenderer, DiskModel

    thick, sampled, accuracy = setting["thick"], setting["sampled"], setting["accuracy"]
    model = DiskModel(curve="tanh")
    renderer = CubeRenderer(our_grid(case, sampled), model, psf=transfer, accuracy=accuracy)
    vectors = variations(list(model.names), CASES[case].parameters(thick), 16)

    def references() -> dict[str, np.ndarray]:
        mode = "samp" if sampled else "int"
        return {mode: our_references(case, thick)[mode]}

    return Job(
        lambda i: renderer(vectors[i % 16, None]), lambda: renderer(vectors[:1])[0], references
    )


def clumpygan_torch(case: str, setting: dict[str, Any]) -> Job:
    import torch

    from clumpygan.galaxies import DiskModel, TorchCubeRenderer

    torch.set_num_threads(1)
    thick, sampled, accuracy = setting["thick"], setting["sampled"], setting["accuracy"]
    batch = setting.get("batch", 1)
    model = DiskModel(curve="tanh")
    values = variations(list(model.names), CASES[case].parameters(thick), 16 * batch)
    # As in a fit: the sampling is chosen once, for all the galaxies that it may meet.
    grid = our_grid(case, sampled)
    renderer = TorchCubeRenderer(grid, model, psf=transfer, accuracy=accuracy, like=values)
    vectors = torch.from_numpy(values).float().reshape(16, batch, -1)
    with torch.no_grad():
        target = 1.01 * renderer(vectors[0, :1])

    def value(i: int) -> object:
        with torch.no_grad():
            return (renderer(vectors[i % 16]) - target).square().sum()

    def gradient(i: int) -> object:
        leaf = vectors[i % 16].clone().requires_grad_()
        (renderer(leaf) - target).square().sum().backward()
        return leaf.grad

    def cube() -> np.ndarray:
        with torch.no_grad():
            return renderer(vectors[0, :1])[0, 0].numpy()

    def references() -> dict[str, np.ndarray]:
        mode = "samp" if sampled else "int"
        return {mode: our_references(case, thick)[mode]}

    draw = gradient if setting["gradient"] else value
    return Job(draw, cube, references, batch=batch)


def galpak(case: str, setting: dict[str, Any]) -> Job:
    """GalPaK3D's own thick-disk dispersion, or a constant one."""
    import bench_galpak
    import cases

    thick = setting["thick"]
    parameters = cases.CASES[case]
    constant = None if thick else bench_galpak.NoDisp(aspect=parameters["q"])
    fit, galaxy = bench_galpak.build(parameters, constant)
    shape = (parameters["nz"], parameters["ny"], parameters["nx"])
    return Job(
        lambda i: fit.create_convolved_cube(galaxy, shape),
        lambda: np.asarray(fit.create_convolved_cube(galaxy, shape).data),
        lambda: peer_reference(case, "_gp" if thick else ""),
    )


def kinms(case: str, setting: dict[str, Any]) -> Job:
    """KinMS has exponential disks only: it is compared with one."""
    import bench_kinms
    import cases

    name = f"{case}_exp"
    renderer, arguments = bench_kinms.setup(cases.CASES[name], setting["cloudlets"])
    return Job(
        lambda i: bench_kinms.run(renderer, arguments),
        lambda: bench_kinms.run(renderer, arguments).transpose(2, 1, 0),
        lambda: peer_reference(name),
    )


def galcubecraft(case: str, setting: dict[str, Any]) -> Job:
    """GalCubeCraft has its own curve, no LSF and channels of 1200 km/s over their number."""
    import bench_gcc
    import cases
    from reference import reference

    size, radius, height, dispersion = CASES[case].size, CASES[case].radius, 0.5, 40.0
    width = 1200.0 / size
    galaxy = bench_gcc.setup(size, size, radius, 60.0, height, dispersion)

    def cube() -> np.ndarray:
        return bench_gcc.run(galaxy)[0].transpose(0, 2, 1)

    def references() -> dict[str, np.ndarray]:
        # Its dispersion is along the normal of the disk; its flux isn't normalised.
        own = cube()
        y, x = np.indices(own.shape[1:])
        flux = own.sum(0)
        parameters = cases.mk(
            "", size, size, radius, 0.15, 60.0, zprof="exp", curve="gcc", dv=width
        )
        parameters |= {"sig_lsf": 0.0, "rd_px": radius / 1.678347, "hz_px": height}
        parameters |= {"x0": (flux * x).sum() / flux.sum(), "y0": (flux * y).sum() / flux.sum()}
        found = {}
        for angle in (0.0, 180.0):
            for sigma in (dispersion, dispersion / 2):
                exact = reference(parameters | {"pa": angle, "sig0": sigma}, "int", s=5, nzs=61)
                found[f"{angle:.0f} {sigma:.0f}"] = exact * (own.sum() / exact.sum())
        return found

    return Job(lambda i: bench_gcc.run(galaxy), cube, references, width)


def geko(case: str, setting: dict[str, Any]) -> Job:
    """Geko's thin disk, which knows no depth: compared with itself on a fine grid."""
    import bench_geko
    import cases
    import jax
    import jax.numpy as jnp

    parameters = cases.CASES[case]
    names = ("pa", "inc", "vmax", "rt_px", "sig0", "rd_px")
    vector = jnp.array([parameters[name] for name in names] + [0.0, 0.0]).at[0].multiply(-1)
    model = bench_geko.make(parameters, setting["oversampling"])
    target = model(vector) * 1.01
    both = jax.jit(jax.value_and_grad(lambda p: jnp.sum((model(p) - target) ** 2)))

    def draw(i: int) -> object:
        moved = vector * (1 + 1e-3 * (i % 16))
        if setting["gradient"]:
            return both(moved)[1].block_until_ready()
        return model(moved).block_until_ready()

    def references() -> dict[str, np.ndarray]:
        n, fine = parameters["nx"], 9 if parameters["nx"] < 40 else 5
        scaled = dict(parameters, nx=n * fine, ny=n * fine)
        scaled["sig_psf_px"] *= fine
        scaled |= {name: fine * parameters[name] + (fine - 1) / 2 for name in ("x0", "y0")}
        moved = vector.at[jnp.array([3, 5])].multiply(fine)
        cube = np.asarray(bench_geko.make(scaled, 1)(moved)).transpose(2, 0, 1)
        summed = cube.reshape(-1, n, fine, n, fine).sum((2, 4))
        middle = cube[:, fine // 2 :: fine, fine // 2 :: fine] * fine**2
        return {"int": summed, "samp": middle}

    return Job(draw, lambda: np.asarray(model(vector)).transpose(2, 0, 1), references)


CODES: dict[str, tuple[str, Callable[[str, dict[str, Any]], Job]]] = {
    "clumpygan_numba": ("clumpygan", clumpygan_numba),
    "clumpygan_torch": ("clumpygan", clumpygan_torch),
    "galpak": ("galpak", galpak),
    "kinms": ("kinms", kinms),
    "gcc": ("GalCubeCraft", galcubecraft),
    "geko": ("astro-geko", geko),
}
"""Name -> the package that it needs, and what makes its jobs."""


def cpu_milliseconds(job: Job, seconds: float) -> list[float]:
    """Draw until the CPU time is spent, at least once after warming up; time per cube."""
    job.draw(0)
    times: list[float] = []
    while sum(times) < 1e3 * seconds:
        start = time.process_time()
        job.draw(len(times) + 1)
        times.append(1e3 * (time.process_time() - start))
    return [milliseconds / job.batch for milliseconds in times]


def nearest(job: Job) -> dict[str, Any]:
    """Return the errors of a job's cube in the convention in which they are smallest."""
    cube = job.cube()
    found = [
        errors(cube, reference, job.channel_width) | {"convention": convention}
        for convention, reference in job.references().items()
    ]
    return min(found, key=lambda entry: entry["l2"])


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if len(sys.argv) > 2:
        sys.path.insert(0, sys.argv[2])
    warnings.filterwarnings("ignore")
    package, make = CODES[sys.argv[1]]

    @cache
    def job(case: str, setting: str) -> Job:
        return make(case, json.loads(setting))

    def serve(request: dict[str, Any]) -> dict[str, Any]:
        asked = job(request["case"], json.dumps(request["setting"]))
        if "seconds" in request:
            return {"cpu_ms": cpu_milliseconds(asked, request["seconds"])}
        return nearest(asked)

    # Some packages change the level of logging, print and warn when imported.
    logging.disable(logging.CRITICAL)
    print(json.dumps({"version": importlib.metadata.version(package)}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = serve(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
