"""What git says of the code beside, and of who uses it."""

import subprocess
from pathlib import Path
from typing import Any

from soco.provenance.compare import Run


def user_name() -> str | None:
    """Whom git's configuration names; None where it names nobody."""
    return _asked("config", "user.name")


def code_words(run: Run, root: Path) -> str:
    """A sentence that says whether the code in the crate is the code that the run's jobs ran from.

    Args:
        run: The run.
        root: Where the code that goes into the crate lies.
    """
    states = [environment["code"] for environment in run["environments"]] or [run["git"]]
    ran = dict.fromkeys(_words(state["commit"], state["dirty"]) for state in states)
    dirty = _asked("-C", str(root), "status", "--porcelain")
    here = _words(_asked("-C", str(root), "rev-parse", "HEAD"), bool(dirty))
    if list(ran) == [here] and not dirty:
        return f"The code in this crate is that of the run, {here}."
    return f"The code in this crate is {here}; the jobs ran from {' and '.join(ran)}."


def _words(commit: Any, dirty: Any) -> str:
    if not commit:
        return "of an unknown commit"
    return f"commit {commit}" + (" with changes that were not committed" if dirty else "")


def _asked(*arguments: str) -> str | None:
    try:
        asked = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None
