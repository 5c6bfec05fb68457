"""A file appears under its name only when it is whole."""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.machine import ask_to_write, machine_faults


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


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON with sorted keys, whole or not at all."""
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


_SUFFIX = ".part"


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
