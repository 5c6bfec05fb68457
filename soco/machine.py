"""Faults of the machine, such as a full disk, explained in one sentence with the remedy."""

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError

# For each error number: what is wrong, and the remedy.
_PROBLEMS = {
    errno.ENOSPC: ("The disk is full: {place} cannot be written", "make room there"),
    errno.EDQUOT: ("Your quota is used up: {place} cannot be written", "make room there"),
    errno.EFBIG: (
        "{place} would be larger than its file system or `ulimit -f` allows",
        "raise the limit, or set another folder",
    ),
    errno.EROFS: (
        "{place} cannot be written: its file system is read-only",
        "mount it for writing, or set another folder",
    ),
    errno.EACCES: (
        "You have no permission to use {place}",
        "change its permissions (`chmod`, `chown`), or set another path",
    ),
    errno.EIO: (
        "The disk of {place} reports an input/output error",
        "check `dmesg`, replace the disk",
    ),
    errno.ESTALE: ("The network folder of {place} is no longer mounted", "remount it"),
    errno.EMFILE: (
        "Too many files are open to open {place}",
        "raise `ulimit -n`, or lower `workers`",
    ),
    errno.ENOTDIR: (
        "{place} cannot be used: there is a file in place of a folder",
        "remove that file",
    ),
}
# Errors that may have passed by the time we check: a place that is writable now may have failed.
_TRANSIENT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ESTALE, errno.EMFILE, errno.EROFS)
_SHARED = Path("/dev/shm")

# Parts of the messages of torch's data loaders and of torch.multiprocessing.
_OUT_OF_SHARED_MEMORY = (
    "Bus error",
    "allocate shared memory",
    "torch_shm_manager",
    "unable to mmap",
)
_WAS_KILLED = ("signal: Killed", "signal SIGKILL")
_HAS_ENDED = ("is killed by signal", "exited unexpectedly", "terminated with signal")
_MORE_MEMORY = (
    "lower what this stage runs at once, such as `workers` or `--cores`, or use a larger machine"
)
_PROBE_BYTES = 1 << 20


@contextlib.contextmanager
def machine_faults(*places: Path, memory: str = _MORE_MEMORY) -> Iterator[None]:
    """Turn faults of the machine into a `UserError`; any other exception passes unchanged.

    Args:
        places: Files or folders that the block writes, the likeliest first: not every error names
            its file.
        memory: The remedy if memory runs out.

    Raises:
        UserError: A fault of the machine; the sentence names the file and the remedy.
    """
    try:
        yield
    except Exception as error:
        fault = machine_fault(error, *places, memory=memory)
        if fault is None:
            raise
        # Why a process ended is only inferred, so the log shows the original error, too.
        raise fault from error if any(map(_process_fault, _causes(error))) else None


def machine_fault(
    error: BaseException, *places: Path, memory: str = _MORE_MEMORY
) -> UserError | None:
    """The `UserError` for an error that the machine caused; None for any other.

    Args:
        error: The error.
        places: See `machine_faults`; the folders of temporary files and of shared memory are tried
            after them.
        memory: See `machine_faults`.
    """
    if isinstance(error, UserError):
        return None
    causes = list(_causes(error))
    if any(map(_is_memory, causes)):
        return _memory_fault(error, memory)
    for cause in causes:
        fault = _process_fault(cause) or _system_fault(cause, places)
        if fault is not None:
            return fault
    return None


def probe_write(path: Path) -> None:
    """Append to a temporary file to find out why a library could not write to it.

    Raises:
        OSError: The system cannot write to it either, and says why.
    """
    with path.open("ab", buffering=0) as file:
        remaining = _PROBE_BYTES
        while remaining:
            remaining -= file.write(bytes(remaining))
        os.fsync(file.fileno())


def _is_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch raises a plain RuntimeError for that on a CPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    is_torch = isinstance(error, RuntimeError) and _mentions(
        error, ("can't allocate memory", "out of memory")
    )
    return isinstance(error, MemoryError) or is_torch


def _process_fault(error: BaseException) -> UserError | None:
    """The error for a process that ended: a loader's worker, or one of several that train."""
    if not isinstance(error, RuntimeError) and type(error).__name__ != "ProcessExitedException":
        return None
    if _mentions(error, _OUT_OF_SHARED_MEMORY):
        return _shared_memory_fault()
    if _mentions(error, _WAS_KILLED):
        return UserError(
            "machine.process_killed",
            "A process that loads images or trains was killed, as the system does when memory runs"
            " out (see `dmesg`); lower `workers`, or give the job more memory, and run it again:"
            " finished work is kept.",
        )
    if _mentions(error, _HAS_ENDED):
        return UserError(
            "machine.process_ended",
            "A process that loads images or trains ended unexpectedly ({reason}); see the log"
            " above, and if memory ran out (see `dmesg`), lower `workers` or give the job more"
            " memory, and run it again: finished work is kept.",
            reason=str(error).splitlines()[0].rstrip("."),
        )
    return None


def _shared_memory_fault() -> UserError:
    return UserError(
        "machine.shared_memory_full",
        "The shared memory {place} has no room for the batches of workers; set `workers` to 0, or"
        " enlarge it (`mount -o remount,size=8G {place}`, Docker: `--shm-size=8g`), and run it"
        " again: finished work is kept.",
        place=_SHARED,
    )


def _memory_fault(error: BaseException, remedy: str) -> UserError:
    amount = re.search(r"tried to allocate ([\d.]+ \w+)", str(error), re.IGNORECASE)
    return UserError(
        "machine.out_of_memory",
        "{device} is out of memory{requested}; {remedy}, and run it again: finished work is kept.",
        device="The GPU" if _mentions(error, ("CUDA",)) else "The machine",
        requested=f" ({amount[1]} more were requested)" if amount else "",
        remedy=remedy,
    )


def _system_fault(error: BaseException, places: tuple[Path, ...]) -> UserError | None:
    """The error for a file that the system refuses to write or open."""
    if not isinstance(error, OSError):
        return None
    number = _known_number(error)
    place = _place_of(error, number, places) if number else None
    if number and place:
        return _refusal(number, place)
    if isinstance(error, FileNotFoundError) and places and not places[0].parent.is_dir():
        return UserError(
            "machine.folder_gone",
            "{path} cannot be written: its folder is gone; mount its disk again if it was"
            " unmounted, and run it again: finished work is kept.",
            path=places[0],
        )
    return None


def _known_number(error: OSError) -> int | None:
    """The error's number, if it is a key of `_PROBLEMS`."""
    if error.errno == errno.EEXIST:  # of mkdir, if a file has the folder's name
        name = error.filename
        return (
            errno.ENOTDIR
            if isinstance(name, str) and Path(name).exists() and not Path(name).is_dir()
            else None
        )
    number = errno.EACCES if error.errno == errno.EPERM else error.errno
    return number if number in _PROBLEMS else None


def _mentions(error: BaseException, words: tuple[str, ...]) -> bool:
    return any(part in str(error) for part in words)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes or contexts: torch raises its own while handling the system's."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _place_of(error: OSError, number: int, places: tuple[Path, ...]) -> Path | None:
    """The file that the error names, or the first place where writing fails with the same error."""
    if isinstance(error.filename, str):
        return Path(error.filename)
    candidates = (*places, _temporary_folder(), _SHARED)
    otherwise = candidates[0] if number in _TRANSIENT else None
    return next((place for place in candidates if _write_errno(place) == number), otherwise)


def _temporary_folder() -> Path:
    """The folder for temporary files; `tempfile.gettempdir` returns another if that is full."""
    return Path(os.environ.get("TMPDIR") or "/tmp")


def _is_temporary(place: Path) -> bool:
    """Whether a place is the folder of temporary files, or was made in it by `tempfile`."""
    folder = _temporary_folder()
    below = place.relative_to(folder).parts if place.is_relative_to(folder) else (".",)
    return not below or below[0].startswith(tempfile.gettempprefix())


def _write_errno(place: Path) -> int | None:
    """The error number of a test write at a place; None if it succeeds."""
    folder = place if place.is_dir() else place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe_write(Path(probe.name))
    except OSError as error:
        return error.errno
    return None


def _refusal(number: int, place: Path) -> UserError:
    if number == errno.ENOSPC and place.is_relative_to(_SHARED):
        return _shared_memory_fault()
    problem, remedy = _PROBLEMS[number]
    if number == errno.ENOSPC and _is_temporary(place):
        remedy = f"{remedy}, or set TMPDIR to another folder"
    return UserError(
        "machine.refused",
        "{problem}; {remedy} and run it again: finished work is kept.",
        problem=problem.format(place=place),
        remedy=remedy,
        error=errno.errorcode[number],
        place=place,
    )
