"""A training loop that does nothing but take batches of velocity cubes: cubes per second.

    python benchmarks/cube_batches.py [--workers 2] [--seconds 10] [--json cube_batches.json]

Batches of 32 cubes of 32^3 voxels, as MUSE sees them, with noise that neighbouring voxels share:
rendered on the fly, and read from a prepared set. Prints both rates and their ratio, and the rate
of noiseless cubes of either, which says what the noise costs. By the clock: run it on an idle
machine. With a GPU, `--device cuda` adds the cubes that it renders itself.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch

from clumpygan.data.cube_settings import CubeSettings
from clumpygan.data.cube_store import prepare_cubes
from clumpygan.data.cubes import CubeDataModule

SETTINGS = {
    "frame": {"shape": [32, 32, 32], "instrument": "muse_wfm"},
    "model": {"arms": 2, "clumps": 4},
}
BATCH = 32
TURNS = 3


def rate(data, seconds, device):
    """Return cubes/s of a loop that takes batches, without the first few."""
    data.setup()
    batches = iter(data.train_dataloader())

    def take():
        batch = {name: tensor.to(device) for name, tensor in next(batches).items()}
        return float(data.observe(batch)["cube"][0, 0, 0, 0, 0])

    for _ in range(2 * max(1, data.num_workers) + 1):
        take()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        take()
        count += 1
    return BATCH * count / (time.perf_counter() - start)


def module(options, **changes):
    return CubeDataModule(
        seed=0, batch_size=BATCH, images_per_epoch=10**6, num_workers=options.workers, **changes
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument("--n", type=int, default=4096, help="cubes of the prepared set")
    parser.add_argument("--device", help="also render here, such as cuda")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        settings = CubeSettings.from_dict(SETTINGS)
        prepare_cubes(Path(folder) / "set", settings, options.n, 0, workers=options.workers)
        prepared_rate = options.n / (time.perf_counter() - start)
        sources = {
            "on_the_fly": {"cubes": SETTINGS},
            "prepared": {"source": "prepared", "root": str(Path(folder) / "set")},
        }
        sources |= {
            f"{name}_noiseless": {**source, "signal_to_noise": None}
            for name, source in sources.items()
        }
        if options.device:
            sources["on_the_device"] = {"cubes": SETTINGS, "source": "device"}
        for _ in range(TURNS):
            for name, source in sources.items():
                device = options.device if name == "on_the_device" else "cpu"
                found = rate(module(options, **source), options.seconds / TURNS, device)
                rates.setdefault(name, []).append(found)
    result = {name: sorted(values)[len(values) // 2] for name, values in rates.items()}
    result = {f"{name}_cubes_per_second": round(value, 1) for name, value in result.items()}
    result["ratio_prepared_to_on_the_fly"] = round(
        result["prepared_cubes_per_second"] / result["on_the_fly_cubes_per_second"], 2
    )
    result |= {
        "preparing_cubes_per_second": round(prepared_rate, 1),
        "workers": options.workers,
        "batch": BATCH,
        "shape": SETTINGS["frame"]["shape"],
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
