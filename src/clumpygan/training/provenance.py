"""Which code made a result."""

import subprocess
from pathlib import Path


def commit() -> str:
    """Return the commit of the checkout that this code is in, or 'unknown' outside one."""
    here = Path(__file__).resolve()
    try:
        top, described = (
            subprocess.run(
                ["git", *words], capture_output=True, text=True, check=True, cwd=here.parent
            ).stdout.strip()
            for words in (
                ("rev-parse", "--show-toplevel"),
                ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    # An installed package may lie in the repository of something else.
    return described if Path(top) == here.parents[3] else "unknown"
