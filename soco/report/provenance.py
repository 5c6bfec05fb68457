"""Where the figures come from: code version, packages, machine, and a hash of every file."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from soco.errors import UserError

PACKAGES = (
    "snakemake",
    "torch",
    "torchvision",
    "opencv-contrib-python",
    "joblib",
    "pyarrow",
    "numpy",
    "scikit-image",
    "sal-detectron2",
    "detectron2",
    "pycocotools",
    "lvis",
    "matplotlib",
)
_CODE = Path(__file__).resolve().parent


def provenance(artefacts: Iterable[Path]) -> dict[str, Any]:
    """All that tells one run from another, apart from its configuration.

    Returns:
        `git`, `python`, `packages`, `machine` and `artefacts`, see the functions of this file.

    Raises:
        UserError: An artefact is missing.
    """
    return {
        "git": git_state(_CODE),
        "python": platform.python_version(),
        "packages": package_versions(),
        "machine": machine(),
        "artefacts": [fingerprint(path) for path in artefacts],
    }


def fingerprint(path: Path) -> dict[str, Any]:
    """`path`, `bytes` and `sha256` of a file.

    Raises:
        UserError: The file is missing.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise UserError(f"There is no {path}; run the stage that makes it, then the report again.") from None
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """Versions of the installed packages that decide results; None for one that is not installed here."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def git_state(folder: Path) -> dict[str, Any]:
    """The commit of the code in a folder.

    Returns:
        `commit` (40 hex digits) and `dirty` (whether files differ from it), both None where git cannot say;
        `note` then says why, and is None otherwise.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain"))
    except FileNotFoundError:
        return {"commit": None, "dirty": None, "note": "git is not installed"}
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        return {"commit": None, "dirty": None, "note": said[0] if said else "git failed"}
    return {"commit": commit, "dirty": dirty, "note": None}


def machine() -> dict[str, Any]:
    """The machine that the report was made on: `platform`, `cpu`, `cores`, `memory_gb`."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages * size / 1e9, 1),
    }


def redo_commands(git: dict[str, Any]) -> list[str]:
    """Shell commands that repeat the run from a clone whose config.yaml is the configuration that the report shows."""
    checkout = [f"git checkout {git['commit']}"] if git["commit"] else []
    return [*checkout, "make install", ".venv/bin/snakemake report"]


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def _cpu() -> str | None:
    """The processor's name; Python's own `platform.processor()` is empty on most Linux systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or None
