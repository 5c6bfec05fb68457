"""Lock a folder of checkpoints, so that one run at a time writes into it.

A process that a killed workflow left behind may still be training there.
"""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout, UnixFileLock

from soco.errors import UserError

log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds; a process that was asked to stop finishes its step and saves
# What NFS without its lock service, Lustre mounted without flock, and some FUSE systems answer.
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def exclusive_lock(folder: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Lock a folder during the block.

    The lock belongs to this process alone: filelock closes it in forked workers, so that it is
    released when this process is killed, even if workers survive.

    Args:
        folder: The folder; created if it is missing.
        patience: Seconds to wait for a process that has the lock.

    Raises:
        UserError: Another process still has the lock after `patience` seconds.
    """
    # No soft lock: that is a mere file, and a killed process leaves it behind.
    lock = UnixFileLock(folder / "lock", poll_interval=0.5, fallback_to_soft=False)
    try:
        _acquire(lock, folder, patience)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        log.warning(
            "%s is on a file system without locks (%s): make sure that only one run trains there",
            folder,
            error,
        )
    try:
        if lock.is_locked:
            owner = f"process {os.getpid()} on {socket.gethostname()}"
            # Only for the message of a process that waits; the kernel holds the lock itself.
            (folder / "lock").write_text(owner)
        yield
    finally:
        lock.release()


def _acquire(lock: UnixFileLock, folder: Path, patience: float) -> None:
    # First without waiting, so that the message comes before the wait.
    for timeout in (0.0, patience):
        while not lock.is_locked:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=timeout)
            except FileNotFoundError:  # a run that has just finished removed the folder
                continue
            except Timeout:
                break
        if lock.is_locked:
            return
        if not timeout:
            log.info("%s is training here; waiting %g s for it to exit", _owner(folder), patience)
    raise UserError(
        "data.folder_in_use",
        "{owner} is already training this run, in {folder}; let it finish, or end it with `kill`"
        " and start again: the run resumes from its last checkpoint.",
        owner=_owner(folder),
        folder=folder,
    )


def _owner(folder: Path) -> str:
    with contextlib.suppress(OSError):  # removed by a run that has just finished
        return (folder / "lock").read_text() or "another process"
    return "another process"
