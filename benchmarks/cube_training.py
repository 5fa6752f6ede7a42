"""What a step of the cube GANs costs: with and without penalties, loading included, and memory.

Batches of random cubes of the shape asked for; the loader's share is of rendered ones of 24 voxels.

    python benchmarks/cube_training.py --json cube_training.json
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GENERATORS = ("physical", "conv3d")
PENALTIES = {"none": (0.0, 1), "exact, every step": (3.0, 1), "exact, every 4th": (3.0, 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32], help="voxels per side")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8, help="timed, after one more")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="bf16", choices=["32", "bf16"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, size, penalties = options.one
        print(json.dumps(measure(options, kind, int(size), penalties)))
        return
    found = []
    for size in options.sizes:
        for kind in GENERATORS:
            for penalties in PENALTIES:
                # Each in a process of its own, whose peak memory is its own.
                one = [sys.executable, __file__, "--one", kind, str(size), penalties]
                one += ["--steps", str(options.steps), "--threads", str(options.threads)]
                one += ["--batch-size", str(options.batch_size), "--precision", options.precision]
                done = subprocess.run(one, check=True, capture_output=True, text=True)
                row = json.loads(done.stdout.splitlines()[-1])
                found.append(row)
                print(
                    f"{size:3d}^3 {kind:8s} penalties {penalties:18s} "
                    f"{row['steps_per_second']:6.2f} steps/s  {row['peak_gb']:5.2f} GB",
                    flush=True,
                )
    share = loader_share(options)
    print(f"share of a step of the data loader, 24^3: {100 * share:.1f} %")
    if options.json:
        options.json.write_text(json.dumps({"steps": found, "loader_share": share}, indent=1))


def configuration(kind, size, batch_size, *more):
    """Return a composed configuration of the model."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    import clumpygan.commands.training_job  # noqa: F401 - registers resolvers
    from clumpygan.resources import resource_folder

    with initialize_config_dir(str(resource_folder("configs")), version_base="1.3"):
        words = ["model=cube_gan", f"model/generator={kind}", f"data.grid.size={size}"]
        config = compose("train", [*words, f"data.batch_size={batch_size}", *more])
    return OmegaConf.to_container(config, resolve=True)


def module_of(config):
    """Return the training module and its data."""
    from clumpygan.training.build import build_data, build_module

    data = build_data(config["data"])
    return build_module(config["model"], data, 10**6, 0), data


def random_batch(module, data, count):
    """Return a batch of the right shape: galaxies of typical parameters, and noise."""
    import torch

    from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS

    generator = torch.Generator().manual_seed(0)
    typical = {"linear": lambda c: c.centre, "logarithmic": lambda c: 10**c.centre}
    told = [typical.get(c.kind, lambda c: 40.0)(c) for c in CUBE_CONDITIONS.values()]
    cubes = torch.rand((4, count, 1, *data.shape), generator=generator)
    names = ("cube", "smooth", "noise", "second_noise")
    return dict(zip(names, cubes, strict=True)) | {
        "parameters": torch.tensor([told]).repeat(count, 1)
    }


def stepper(module, precision):
    """Return a function that takes one step, as Lightning's manual optimisation does."""
    import torch

    optimisers = module.configure_optimizers()
    module.optimizers = lambda: optimisers
    module.manual_backward = lambda loss: loss.backward()

    def step(batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            module.training_step(batch, 0)

    return step


def measure(options, kind, size, penalties):
    """Time steps, and look at the peak of this process's memory."""
    import torch

    torch.set_num_threads(options.threads)
    weight, interval = PENALTIES[penalties]
    config = configuration(kind, size, options.batch_size)
    config["model"]["game"] |= {"r1": weight, "r2": weight, "penalty_interval": interval}
    module, data = module_of(config)
    batch = random_batch(module, data, options.batch_size)
    step = stepper(module, options.precision)
    # As many steps as hold as many penalties as the interval says; the first one warms up.
    for _ in range(interval):
        step(batch)
    begin, cpu = time.perf_counter(), time.process_time()
    for _ in range(options.steps):
        step(batch)
    return {
        "generator": kind,
        "size": size,
        "batch_size": options.batch_size,
        "penalties": penalties,
        "steps_per_second": options.steps / (time.perf_counter() - begin),
        "steps_per_cpu_second": options.steps / (time.process_time() - cpu),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def loader_share(options):
    """Return the CPU time of loading a batch over that of the physical generator's step."""
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as cache:
        sizes = ["data.train_size=64", "data.val_size=16", f"data.cache={cache}"]
        config = configuration("physical", 24, options.batch_size, *sizes)
        module, data = module_of(config)
        data.setup()
        step = stepper(module, options.precision)
        dataset = data.dataset("train")
        loading = stepping = 0.0
        for number in range(options.steps + 4):
            begin = time.process_time()
            rows = [dataset[(number, i)] for i in range(options.batch_size)]
            batch = torch.utils.data.default_collate(rows)
            middle = time.process_time()
            step(batch)
            # The first steps warm up.
            if number >= 4:
                loading += middle - begin
                stepping += time.process_time() - middle
    return loading / (loading + stepping)


if __name__ == "__main__":
    main()
