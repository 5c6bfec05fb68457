"""The environment of a job: code version, packages, machine."""

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "snakemake",
    "torch",
    "torchvision",
    "opencv-contrib-python",
    "joblib",
    "pyarrow",
    "numpy",
    "numba",
    "pillow",
    "safetensors",
    "scikit-image",
    "sal-detectron2",
    "detectron2",
    "pycocotools",
    "lvis",
    "matplotlib",
)
REPOSITORY = Path(__file__).resolve().parents[1]
_GPUS = Path("/proc/driver/nvidia/gpus")


def environment() -> dict[str, Any]:
    """Describe this process by `code`, `python`, `packages` and `machine`."""
    return {
        "code": git_state(REPOSITORY),
        "python": platform.python_version(),
        "packages": package_versions(),
        "machine": machine(),
    }


def same_machine(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two environments compute the same bits: same processor, GPUs and packages."""
    return then["packages"] == now["packages"] and all(
        then["machine"][part] == now["machine"][part] for part in ("cpu", "gpus")
    )


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The versions of the packages that are installed."""
    versions: dict[str, str] = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_state(folder: Path) -> dict[str, Any]:
    """The commit of the code in a folder.

    Returns:
        `commit` (40 hex digits) and `dirty` (whether there are uncommitted changes), both None if
        git fails; `note` is then git's message, and None otherwise.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain"))
    except FileNotFoundError:
        return {"commit": None, "dirty": None, "note": "git is not installed"}
    except subprocess.SubprocessError as error:
        lines = str(getattr(error, "stderr", "") or error).strip().splitlines()
        return {"commit": None, "dirty": None, "note": lines[0] if lines else "git failed"}
    return {"commit": commit, "dirty": dirty, "note": None}


def git_user() -> str | None:
    """The user's name in git's configuration, if there is one."""
    try:
        return _git(REPOSITORY, "config", "user.name") or None
    except (OSError, subprocess.SubprocessError):
        return None


def machine() -> dict[str, Any]:
    """Describe this machine by `platform`, `cpu`, `cores`, `memory_gb` and `gpus` (their names)."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages * size / 1e9, 1),
        "gpus": _gpus(),
    }


def _git(folder: Path, *arguments: str) -> str:
    # Many jobs run git at once, and the lock of the index would make some of them fail.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


def _cpu() -> str | None:
    """The processor's name; Python's own `platform.processor()` is empty on most Linux systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or None


def _gpus() -> list[str]:
    """Names of the GPUs, from the driver's files: importing torch or running nvidia-smi is slow."""
    files = sorted(_GPUS.glob("*/information")) if _GPUS.is_dir() else []
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [line.split(":", 1)[1].strip() for line in lines if line.startswith("Model:")]
