"""`python train.py`: train a network of the family, or many, configured by Hydra."""

import importlib
import sys
from collections.abc import Mapping, Sequence

from clumpygan import __version__
from clumpygan.commands.program import one_line_errors, run_hydra
from clumpygan.errors import InputError
from clumpygan.resources import resource_folder

LAUNCHERS: Mapping[str, str] = {
    "local_parallel": "hydra_plugins.hydra_joblib_launcher",
    "slurm": "hydra_plugins.hydra_submitit_launcher",
}
"""The plugins of Hydra that the choices of `launcher` need."""

_HELP = """Train a network: python train.py [GROUP=CHOICE ...] [SETTING=VALUE ...]

  python train.py model=dcgan debug=fast               a whole training in seconds
  python train.py model=dcgan data.size=32 name=small  other settings
  python train.py -m seed=0,1,2                        several trainings
  python train.py model=dcgan model.generator._target_=mypackage.MyGenerator

--version, --cfg job (what is composed), --hydra-help (flags of Hydra)

Choices of each group:
"""


def main() -> None:
    """Compose the configuration from configs/ and the command line, and train."""
    # A trainer is always chosen; "+trainer=gpu", as one adds a group, means the same choice.
    words = [word[1:] if word.startswith("+trainer=") else word for word in sys.argv[1:]]
    sys.argv[1:] = words
    # Hydra takes a second to import: what needs no configuration shall not wait for it.
    if "--version" in words:
        print(f"clumpygan {__version__}")
    elif {"--help", "-h"} & set(words):
        with one_line_errors("train.py"):
            print(_help(words))
    else:
        with one_line_errors("train.py"):
            _check_launcher(words)
        from clumpygan.commands.training_job import run

        run_hydra(run, "train.py", resource_folder("configs"), "train")


def _help(words: Sequence[str]) -> str:
    """Return the choices of each group, and the files of those that are chosen, with comments."""
    configs = resource_folder("configs")
    chosen = {"model": "super_resolution", "data": "pairs", "trainer": "cpu"}
    chosen |= dict(word.lstrip("+").split("=", 1) for word in words if "=" in word)
    groups = {
        str(path.relative_to(configs)): sorted(one.stem for one in path.glob("*.yaml"))
        for path in sorted(configs.rglob("*"))
        if path.is_dir()
    }
    lines = [f"  {name + ':':17}{', '.join(choices)}" for name, choices in groups.items()]
    files = [configs / "train.yaml"]
    files += [configs / name / f"{chosen[name]}.yaml" for name in groups if name in chosen]
    texts = [
        f"\n# ---- {path.relative_to(configs)}\n{path.read_text().strip()}"
        for path in files
        if path.is_file()
    ]
    return "\n".join([_HELP + "\n".join(lines), *texts])


def _check_launcher(words: Sequence[str]) -> None:
    """Ask for the plugin of a launcher by the name of its extra, before Hydra misses it."""
    for word in words:
        group, _, name = word.partition("=")
        if group.lstrip("+") == "launcher" and name in LAUNCHERS:
            try:
                importlib.import_module(LAUNCHERS[name])
            except ImportError as error:
                raise InputError(
                    f'{word} needs a plugin of Hydra: pip install "clumpygan[cluster]"'
                ) from error
