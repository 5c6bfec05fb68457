"""The workflow's own files: what a crate holds so that the run can be made again from it."""

from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[3]
SNAKEFILE = "Snakefile"
_ALONE = (SNAKEFILE, "Makefile", "LICENSE", "CITATION.cff", "pyproject.toml")
_FOLDERS = ("rules", "workflow_scripts", "soco", "envs", "profiles")
_SUFFIXES = {".smk", ".py", ".yaml", ".json", ".css", ".html", ".in", ".lock", ".sh", ".rst"}


def code_files(root: Path = REPOSITORY) -> Iterator[str]:
    """The paths of the workflow's files below its root, but for its configuration and pages.

    Raises:
        UserError: There is no Snakefile: the package was installed without the workflow around it.
    """
    if not (root / SNAKEFILE).is_file():
        raise UserError(
            f"There is no {SNAKEFILE} in {root}; a crate holds the workflow, so use the package in"
            " its clone."
        )
    yield from (name for name in _ALONE if (root / name).is_file())
    for folder in _FOLDERS:
        yield from sorted(
            path.relative_to(root).as_posix()
            for path in (root / folder).rglob("*")
            if path.suffix in _SUFFIXES and path.is_file() and "__pycache__" not in path.parts
        )


def is_step(name: str) -> bool:
    """Whether a file is a rule or the script of one, which a crate tells of as code.

    The package is what they call.
    """
    return name.startswith(("rules/", "workflow_scripts/")) and name.endswith((".smk", ".py"))
