"""What the machine refuses, such as room on a disk, said in one sentence with the remedy."""

import contextlib
import errno
import multiprocessing.queues
import os
import re
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.errors import UserError

_AGAIN = "run it again: what is finished stays"
# For each error number: what is said of the place, and the remedy.
_SENTENCES = {
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
        "This user may not use {place}",
        "change its rights (`chmod`, `chown`), or name another place",
    ),
    errno.EIO: (
        "The disk of {place} reports an input/output error",
        "look into `dmesg`, replace the disk",
    ),
    errno.ESTALE: ("The network folder of {place} is gone", "remount it"),
    errno.EMFILE: (
        "Too many files are open to open {place}",
        "raise `ulimit -n`, or lower `workers`",
    ),
    errno.ENOTDIR: (
        "{place} cannot be used: a file lies where a folder should be",
        "remove that file",
    ),
}
# With these, a place that takes a write now may have refused one a moment ago.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ESTALE, errno.EMFILE, errno.EROFS)
_SHARED = Path("/dev/shm")
_NO_SHARED_MEMORY = (
    f"The shared memory {_SHARED} has no room for what workers load; set `workers` to 0, or give it"
    f" more room (`mount -o remount,size=8G {_SHARED}`, Docker: `--shm-size=8g`), and {_AGAIN}."
)
_KILLED = (
    "A process that loads images or trains was killed, as the system does when the memory is used"
    f" up (`dmesg` says so); lower `workers`, or give the job more memory, and {_AGAIN}."
)
_ENDED = (
    "A process that loads images or trains ended unexpectedly ({said}); look above in the log,"
    " and where the memory was used up (`dmesg` says so) lower `workers` or give the job more, and"
    f" {_AGAIN}."
)
_OUT_OF_SHARED_MEMORY = (
    "Bus error",
    "allocate shared memory",
    "torch_shm_manager",
    "unable to mmap",
)
_WAS_KILLED = ("signal: Killed", "signal SIGKILL")
_HAS_ENDED = ("is killed by signal", "exited unexpectedly", "terminated with signal")
_MORE_MEMORY = (
    "lower what this stage takes at once, such as `workers` or `--cores`, or use a larger machine"
)
_PROBE_BYTES = 1 << 20


@contextlib.contextmanager
def machine_faults(*places: Path, memory: str = _MORE_MEMORY) -> Iterator[None]:
    """Turn what the machine refuses the block into a `UserError`; any other exception passes as it
    is.

    Args:
        places: Files or folders that the block writes, the likeliest first: not every error says
            its file.
        memory: What helps where the memory does not suffice.

    Raises:
        UserError: The machine refused something; the sentence names the file and the remedy.
    """
    try:
        yield
    except Exception as error:
        fault = machine_fault(error, *places, memory=memory)
        if fault is None:
            raise
        # Why a process ended is inferred: there the log shows the error, too.
        raise fault from error if any(map(_of_a_process, _causes(error))) else None


def machine_fault(
    error: BaseException, *places: Path, memory: str = _MORE_MEMORY
) -> UserError | None:
    """The sentence for an error that the machine caused; None for any other.

    Args:
        error: The error.
        places: See `machine_faults`; the folders of temporary files and of shared memory come after
            them.
        memory: The same.
    """
    if isinstance(error, UserError):
        return None
    causes = list(_causes(error))
    if any(map(_is_memory, causes)):
        return UserError(_memory_sentence(error, memory))
    for cause in causes:
        if sentence := _of_a_process(cause):
            return UserError(sentence)
        number = _number_of(cause)
        place = _place_of(cause, number, places) if isinstance(cause, OSError) and number else None
        if number and place:
            return _sentence(number, place)
        if isinstance(cause, FileNotFoundError) and places and not places[0].parent.is_dir():
            return UserError(
                f"{places[0]} cannot be written: its folder is gone; mount its disk again if it was"
                f" unmounted, and {_AGAIN}."
            )
    return None


def ask_to_write(path: Path) -> None:
    """Append to a file that is to be removed: libraries say in words of their own why they could
    not write.

    Raises:
        OSError: The system takes no more bytes; this says why.
    """
    with path.open("ab", buffering=0) as file:
        left = _PROBE_BYTES
        while left:
            left -= file.write(bytes(left))
        os.fsync(file.fileno())


def let_no_worker_fall_silent() -> None:
    """Have a data loader's worker report that it cannot send what it made, for want of shared
    memory say.

    Python prints such an error and goes on without the batch, for which the loader would wait for
    ever. Workers that are forked later take this over.
    """
    multiprocessing.queues.Queue._on_queue_feeder_error = _send_the_error_instead  # type: ignore[attr-defined]


def _send_the_error_instead(queue: Any, error: Exception, item: Any) -> None:
    """Called while the error is handled, in the thread that sends.

    An item is a batch's number and the batch.
    """
    from torch._utils import ExceptionWrapper

    if not isinstance(item, tuple) or isinstance(item[1], ExceptionWrapper):
        traceback.print_exception(error)
        os._exit(1)
    queue.put((item[0], ExceptionWrapper(where="in a data loader's worker")))


def _is_memory(error: BaseException) -> bool:
    """Whether it was raised for want of memory.

    Torch raises a RuntimeError, of no kind of its own on a CPU.
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    is_torchs = isinstance(error, RuntimeError) and _says(
        error, ("can't allocate memory", "out of memory")
    )
    return isinstance(error, MemoryError) or is_torchs


def _of_a_process(error: BaseException) -> str:
    """What is said of a process that ended, a worker of a loader or one of several that train.

    "" for other errors.
    """
    if not isinstance(error, RuntimeError) and type(error).__name__ != "ProcessExitedException":
        return ""
    if _says(error, _OUT_OF_SHARED_MEMORY):
        return _NO_SHARED_MEMORY
    if _says(error, _WAS_KILLED):
        return _KILLED
    return (
        _ENDED.format(said=str(error).splitlines()[0].rstrip("."))
        if _says(error, _HAS_ENDED)
        else ""
    )


def _number_of(error: BaseException) -> int | None:
    """The error's number among those of which there is a sentence."""
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.EEXIST:  # of mkdir, where a file has the folder's name
        name = error.filename
        return (
            errno.ENOTDIR
            if isinstance(name, str) and Path(name).exists() and not Path(name).is_dir()
            else None
        )
    number = errno.EACCES if error.errno == errno.EPERM else error.errno
    return number if number in _SENTENCES else None


def _memory_sentence(error: BaseException, remedy: str) -> str:
    asked = re.search(r"tried to allocate ([\d.]+ \w+)", str(error), re.IGNORECASE)
    wanted = f" ({asked[1]} more were asked for)" if asked else ""
    whose = "The GPU's memory" if _says(error, ("CUDA",)) else "The memory"
    return f"{whose} does not suffice{wanted}; {remedy}, and {_AGAIN}."


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return any(part in str(error) for part in words)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from or while handling: torch hides the first one so."""
    held: BaseException | None = error
    while held is not None:
        yield held
        held = held.__cause__ or (None if held.__suppress_context__ else held.__context__)


def _place_of(error: OSError, number: int, places: tuple[Path, ...]) -> Path | None:
    """The file that the error names, or the first place that refuses a write for the same reason."""
    if isinstance(error.filename, str):
        return Path(error.filename)
    looked_at = (*places, _temporary_folder(), _SHARED)
    otherwise = looked_at[0] if number in _PASSING else None
    return next((place for place in looked_at if _refusal(place) == number), otherwise)


def _temporary_folder() -> Path:
    """Where temporary files should go.

    `tempfile.gettempdir` names another folder where that one is full.
    """
    return Path(os.environ.get("TMPDIR") or "/tmp")


def _is_temporary(place: Path) -> bool:
    """Whether a place is the folder of temporary files, or what `tempfile` made in it."""
    folder = _temporary_folder()
    below = place.relative_to(folder).parts if place.is_relative_to(folder) else (".",)
    return not below or below[0].startswith(tempfile.gettempprefix())


def _refusal(place: Path) -> int | None:
    """The error number with which a place refuses a write; None where it takes one."""
    folder = place if place.is_dir() else place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            ask_to_write(Path(probe.name))
    except OSError as error:
        return error.errno
    return None


def _sentence(number: int, place: Path) -> UserError:
    if number == errno.ENOSPC and place.is_relative_to(_SHARED):
        return UserError(_NO_SHARED_MEMORY)
    what, remedy = _SENTENCES[number]
    if number == errno.ENOSPC and _is_temporary(place):
        remedy = f"{remedy}, or set TMPDIR to another folder"
    return UserError(f"{what.format(place=place)}; {remedy} and {_AGAIN}.")
