"""What became of each job of a sweep, kept in the job's own folder whoever ran it."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clumpygan.io import atomic_path
from clumpygan.settings.documents import read_json

RESULT = "result.json"
"""Name of the file in the folder of a job."""

UNFINISHED, FINISHED, PRUNED, FAILED = "unfinished", "finished", "pruned", "failed"
"""What became of a job; one that was interrupted stays unfinished."""

_BOOKKEEPING = re.compile(
    r"[+~]*(hydra[./]|(output|name|ckpt_path|checkpoint)(=|$)|(launcher|sweep|logger)([.=]|$))"
)
_LONGEST = 80


@dataclass(frozen=True)
class Result:
    """What became of one job.

    Attributes
    ----------
    folder : Path
        Where it trained.
    overrides : tuple of str
        The overrides that compose its configuration.
    status : str
        "unfinished", "finished", "pruned" or "failed".
    criterion : str
        Name of the held-out metric that decides; lower is better.
    best : float, optional
        Its best value.
    images : int, optional
        Images seen when it was best.
    seconds : float, optional
        Seconds of training, over all its parts.
    message : str
        Why it failed.
    """

    folder: Path
    overrides: tuple[str, ...]
    status: str = UNFINISHED
    criterion: str = ""
    best: float | None = None
    images: int | None = None
    seconds: float | None = None
    message: str = ""

    def write(self) -> None:
        """Write it into the folder of the job, which is made where it is missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = dataclasses.asdict(self)
        del fields["folder"]
        with atomic_path(self.folder / RESULT) as temporary:
            temporary.write_text(json.dumps(fields, indent=1))


def read_result(folder: Path) -> Result | None:
    """Return what became of the job of a folder, or None if it says nothing readable."""
    try:
        fields: dict[str, Any] = read_json(folder / RESULT, "")
        result = Result(folder, **(fields | {"overrides": tuple(fields["overrides"])}))
    except (ValueError, TypeError, KeyError):
        return None
    words = (*result.overrides, result.criterion, result.message)
    numbers = (result.best, result.images, result.seconds)
    readable = (
        result.status in (UNFINISHED, FINISHED, PRUNED, FAILED)
        and all(isinstance(one, str) for one in words)
        and all(one is None or isinstance(one, int | float) for one in numbers)
    )
    return result if readable else None


def read_results(folder: Path) -> list[Result]:
    """Return the results of the jobs in all folders within `folder`, in their order."""
    results = (read_result(path.parent) for path in sorted(folder.glob(f"*/{RESULT}"), key=_order))
    return [result for result in results if result is not None]


def forget_failed(folder: Path) -> None:
    """Remove the results of those jobs within a folder that failed: they are tried again."""
    for result in read_results(folder):
        if result.status == FAILED:
            (result.folder / RESULT).unlink(missing_ok=True)


def of_training(overrides: Sequence[str]) -> list[str]:
    """Return those overrides that say what is trained, not where or by whom."""
    return [word for word in overrides if not _BOOKKEEPING.match(word)]


def job_folder(overrides: Sequence[str]) -> str:
    """Return the name of the folder of a job: readable, and another one for other settings.

    Thus the jobs of a sweep that is started again, or with more values, find their folders.

    Parameters
    ----------
    overrides : sequence of str
        Of this job, as "key=value".
    """
    words = of_training(overrides)
    digest = hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:8]
    shown: list[str] = []
    # What is swept mostly comes last on a command line.
    for word in reversed(words):
        key, _, value = word.partition("=")
        # Nothing that Hydra's grammar or a shell would take for its own.
        text = re.sub(r"[^\w.-]+", "_", f"{key.rpartition('.')[2].strip('+~')}_{value}").strip("_")
        if len("-".join([text, *shown])) > _LONGEST:
            break
        shown.insert(0, text)
    return "-".join([*shown, digest])


def _order(path: Path) -> list[tuple[int, str]]:
    """Return a key by which trial_10 comes after trial_9."""
    parts = re.split(r"(\d+)", path.parent.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
