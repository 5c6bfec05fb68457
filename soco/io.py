"""Write files atomically and with their origin, and hash them."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.machine import machine_faults, probe_write

Origin = dict[str, Any]
"""What made a file: rule, wildcards, seed, code and packages.

It contains no time and no machine, so that the same job of the same code writes the same bytes.
"""

KEY = "soco"
"""The key of an origin in the metadata of Parquet, Arrow and safetensors files."""

_SUFFIX = ".part"
_TIMESTAMP_FILE = ".snakemake_timestamp"  # Snakemake puts one into each folder that is an output


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, which replaces `path` if the block succeeds.

    The rename is atomic: a reader, or a run that is restarted after a kill, sees either the old
    file or all of the new one. If the block fails, the temporary file is removed. Temporary files
    of killed processes of this machine are removed as well; those of running processes, and of
    other machines, have other names and are not touched.

    Raises:
        UserError: The file cannot be written: the disk is full, the folder is read-only, and so on.
    """
    path = Path(path)
    temporary = path.with_name(f"{_prefix(path)}{os.getpid()}{_SUFFIX}")
    with machine_faults(path), _with_final_name(temporary, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        try:
            yield temporary
            with temporary.open("rb") as written:
                # Before the rename: else a power cut could leave the new name with missing data.
                os.fsync(written.fileno())
            temporary.replace(path)
        except (UserError, OSError):
            raise
        except Exception:
            # A library may hide that the disk is full behind an error of its own.
            probe_write(temporary)
            raise
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def _with_final_name(temporary: Path, path: Path) -> Iterator[None]:
    """Replace the temporary path in an error by the path that the user knows."""
    try:
        yield
    except OSError as error:
        if str(temporary) in (str(error.filename), str(error.filename2)):  # filename2: of a copy
            error.filename, error.filename2 = str(path), None
        raise


def write_json(path: str | Path, content: Any, origin: Origin | None = None) -> None:
    """Write JSON with sorted keys atomically.

    Args:
        path: The file.
        content: What to write; a mapping if there is an origin.
        origin: What made the file; stored under the key `origin`.
    """
    content = {**content, "origin": origin} if origin else content
    with atomic_write(path) as temporary:
        # No NaN: it is not JSON, and other parsers refuse it.
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def remove_folder(folder: Path) -> None:
    """Remove a folder of checkpoints atomically: after a kill, all of it is left, or nothing.

    A run that found only part of it would resume from a checkpoint without its log.
    """
    # A rename is one step of the file system; rmtree is one for each file.
    renamed = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(renamed, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(renamed)
    shutil.rmtree(renamed, ignore_errors=True)


def _prefix(path: Path) -> str:
    return f".{path.name}.{socket.gethostname()}."


def _remove_abandoned(path: Path) -> None:
    prefix = _prefix(path)
    for other in path.parent.iterdir():
        process = other.name.removeprefix(prefix).removesuffix(_SUFFIX)
        if (
            other.name == f"{prefix}{process}{_SUFFIX}"
            and process.isdigit()
            and not _is_running(int(process))
        ):
            other.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def fingerprint(path: Path) -> dict[str, Any]:
    """Return `path`, `bytes` and `sha256` of a file or folder.

    A folder may contain too many images to hash in a job: its `sha256` is that of the sorted lines
    `path below the folder`, tab, `bytes`. Its `bytes` are the sum over all files, and `files` is
    their number.

    Raises:
        UserError: There is nothing at the path.
    """
    if path.is_dir():
        return _of_folder(path)
    return {"path": str(path), "bytes": _size(path), "sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex digits.

    Raises:
        UserError: The file is missing.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise _missing(path) from None


def digest_of_lines(lines: list[str]) -> str:
    """The SHA-256 of the sorted lines, each with a line break."""
    digest = hashlib.sha256()
    for line in sorted(lines):
        # Gives back the bytes of file names that are not UTF-8.
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _of_folder(folder: Path) -> dict[str, Any]:
    sizes = {  # os.walk and os.stat, since pathlib's objects cost more than the system calls
        os.path.relpath(path, folder): os.stat(path).st_size  # noqa: PTH116
        for parent, _, names in os.walk(folder)
        for name in names
        if name != _TIMESTAMP_FILE
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
    return UserError(
        "io.file_not_found",
        "There is no {path}; run the stage that makes it, then the report again.",
        path=path,
    )


def origin_inside(origin: Origin | None) -> dict[str, Any]:
    """Return `{"origin": ...}`, to merge into a file's content; empty without an origin."""
    return {"origin": origin} if origin else {}


def metadata_inside(origin: Origin | None, short: bool = False) -> dict[bytes, bytes]:
    """Return the origin as metadata of an Arrow schema.

    Args:
        origin: What made the file.
        short: Include only the rule. For files whose bytes decide what Snakemake reruns: with the
            commit in the shards, every new commit would search all images again.
    """
    inside = origin_inside(origin)
    if not inside:
        return {}
    kept = {"rule": inside["origin"]["rule"]} if short else inside["origin"]
    return {KEY.encode(): json.dumps({"origin": kept}, sort_keys=True).encode()}
