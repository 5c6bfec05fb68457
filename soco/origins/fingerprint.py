"""Size and SHA-256 of a file; of a folder, those of the listing of its files."""

import hashlib
import os
from pathlib import Path
from typing import Any

from soco.errors import UserError

_SNAKEMAKES_OWN = ".snakemake_timestamp"


def fingerprint(path: Path) -> dict[str, Any]:
    """`path`, `bytes` and `sha256` of a file, or of a folder.

    A folder may hold more images than can be hashed in a job: its `sha256` is that of the sorted
    lines `path below the folder`, tab, `bytes`; `bytes` are those of all files, whose number is in
    `files`.

    Raises:
        UserError: There is nothing at the path.
    """
    if path.is_dir():
        return _of_folder(path)
    return {"path": str(path), "bytes": _size(path), "sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    """The hash of a file, in hex digits.

    Raises:
        UserError: The file is missing.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise _missing(path) from None


def digest_of_lines(lines: list[str]) -> str:
    """The SHA-256 of sorted lines: of a manifest."""
    digest = hashlib.sha256()
    for line in sorted(lines):
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _of_folder(folder: Path) -> dict[str, Any]:
    sizes = {  # os.walk and os.stat: pathlib's objects cost more than the look at a file
        os.path.relpath(path, folder): os.stat(path).st_size  # noqa: PTH116
        for parent, _, names in os.walk(folder)
        for name in names
        if name != _SNAKEMAKES_OWN
        for path in [f"{parent}/{name}"]
    }
    return {
        "path": str(folder),
        "bytes": sum(sizes.values()),
        "files": len(sizes),
        "sha256": digest_of_lines([f"{name}\t{size}" for name, size in sizes.items()]),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise _missing(path) from None


def _missing(path: Path) -> UserError:
    return UserError(f"There is no {path}; run the stage that makes it, then the report again.")
