"""Files: written whole or not at all, and their hashes."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.machine import ask_to_write, machine_faults

Origin = dict[str, Any]
"""What made a file: rule, wildcards, seed, code and packages; no time and no machine, so that the
same job of the same code writes the same bytes."""

KEY = "soco"
"""The name that metadata of Parquet, Arrow and safetensors files have for an origin."""

_VARIABLE = "SOCO_ORIGIN"  # TODO: goes when every stage passes its origin on
_SUFFIX = ".part"
_SNAKEMAKES_OWN = ".snakemake_timestamp"


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it
    otherwise.

    The rename is atomic, so that a reader (or a run that was killed and started again) sees the old
    file, or none, or all of the new one. What a killed writer of `path` left on this machine is
    removed; a writer that still lives, or that works on another machine, has a temporary path of
    its own and is left alone.

    Raises:
        UserError: The machine does not take the file: the disk is full, the folder is read-only,
            and the like.
    """
    path = Path(path)
    temporary = path.with_name(f"{_prefix(path)}{os.getpid()}{_SUFFIX}")
    with machine_faults(path), _under_its_own_name(temporary, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        except (UserError, OSError):
            raise
        except Exception:
            ask_to_write(temporary)
            raise
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def _under_its_own_name(temporary: Path, path: Path) -> Iterator[None]:
    """Let an error about the temporary path name the path that the user knows."""
    try:
        yield
    except OSError as error:
        if str(temporary) in (str(error.filename), str(error.filename2)):  # the second of a copy
            error.filename, error.filename2 = str(path), None
        raise


def write_json(path: str | Path, content: Any, origin: Origin | None = None) -> None:
    """Write JSON with sorted keys, whole or not at all; an object's key `origin` says what made it."""
    content = {**content, "origin": origin} if origin else content
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def remove_folder(folder: Path) -> None:
    """Remove a folder of checkpoints so that a kill leaves all of it under its name, or nothing.

    A run that found one half would resume from a checkpoint without the log that belongs to it.
    """
    aside = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(aside, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _prefix(path: Path) -> str:
    return f".{path.name}.{socket.gethostname()}."


def _remove_abandoned(path: Path) -> None:
    prefix = _prefix(path)
    for other in path.parent.iterdir():
        process = other.name.removeprefix(prefix).removesuffix(_SUFFIX)
        if (
            other.name == f"{prefix}{process}{_SUFFIX}"
            and process.isdigit()
            and not _lives(int(process))
        ):
            other.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


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


@contextlib.contextmanager
def made_by(origin: Origin) -> Iterator[None]:
    """Have all files that the block writes carry this origin."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = json.dumps(origin, sort_keys=True)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def origin_inside(origin: Origin | None = None) -> dict[str, Any]:
    """`{"origin": ...}`, to be put into what a file holds; empty without an origin."""
    text = os.environ.get(_VARIABLE)
    origin = origin or (json.loads(text) if text else None)
    return {"origin": origin} if origin else {}


def metadata_inside(origin: Origin | None = None, short: bool = False) -> dict[bytes, bytes]:
    """The same as metadata of an Arrow schema.

    Args:
        origin: What made the file.
        short: Write the rule alone. For files whose bytes tell Snakemake what to make again: with
            the commit in them, images that were listed by another would all be searched again.
    """
    inside = origin_inside(origin)
    if not inside:
        return {}
    kept = {"rule": inside["origin"]["rule"]} if short else inside["origin"]
    return {KEY.encode(): json.dumps({"origin": kept}, sort_keys=True).encode()}


def write_result(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object; in a stage its key `origin` says what made it."""
    write_json(path, {**content, **origin_inside()})
