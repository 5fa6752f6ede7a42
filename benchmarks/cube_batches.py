"""Cubes per second of a training loop that does nothing but take batches: 32 cubes of 32^3.

    python benchmarks/cube_batches.py [--cores 2] [--json batches.json]

On the fly by loader processes (numba) and in this process as tensors (torch), and read from a set
that `prepare.py cubes` would write; MUSE cubes of clumpy disks with correlated noise, drawn from
the priors. By the clock, in turns; run it on an idle machine.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch

from clumpygan.data.cubes.datamodule import CubeDataModule
from clumpygan.data.cubes.settings import CubeSettings
from clumpygan.data.cubes.store import prepare_cubes

SIZE, BATCH = 32, 32
SETTINGS = {
    "frame": {"shape": (SIZE, SIZE, SIZE), "instrument": "muse_wfm"},
    "model": {"arms": 2, "clumps": 4},
}


def batches(data: CubeDataModule) -> Iterator[dict[str, torch.Tensor]]:
    """Yield complete batches without end, without a pause between epochs."""
    loader = data.train_dataloader()
    while True:
        for batch in loader:
            yield data.observe(batch)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", type=int, default=2, help="loader processes, or threads")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20, help="batches of each source in a turn")
    parser.add_argument("--n", type=int, default=4000, help="cubes of the prepared set")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    torch.set_num_threads(options.cores)
    shared = {"batch_size": BATCH, "images_per_epoch": 2**20}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "cubes"
        settings = CubeSettings.from_dict(SETTINGS)
        prepare_cubes(home, settings, options.n, seed=1, workers=options.cores)
        sources = {
            "on the fly": {"cubes": settings, "num_workers": options.cores},
            "on the fly, as tensors": {"cubes": settings, "source": "device"},
            "prepared": {"source": "prepared", "root": str(home), "num_workers": options.cores},
        }
        streams = {}
        for name, chosen in sources.items():
            data = CubeDataModule(seed=1, **shared, **chosen)
            data.setup()
            streams[name] = batches(data)
        rates: dict[str, list[float]] = {name: [] for name in streams}
        for _ in range(options.turns):
            for name, stream in streams.items():
                # What the loader has made while others had their turn doesn't count.
                for _ in range(2 + 2 * options.cores):
                    next(stream)
                start = time.perf_counter()
                for _ in range(options.batches):
                    next(stream)
                rates[name].append(BATCH * options.batches / (time.perf_counter() - start))
        result = {name: median(values) for name, values in rates.items()}
        streams.clear()
    for name, rate in result.items():
        print(f"{name:24s} {rate:8.1f} cubes/s")
    result["prepared / on the fly"] = result["prepared"] / result["on the fly"]
    print(f"ratio prepared / on the fly: {result['prepared / on the fly']:.1f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
