"""One run writes into a folder of checkpoints.

A process that a killed workflow left behind may still train there.
"""

import contextlib
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from soco.errors import UserError

log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds; a process that was asked to stop finishes its step and saves


@contextlib.contextmanager
def exclusive_lock(folder: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold a folder for the block, at whose end it is let go, whether or not forked workers still
    live.

    Of a process that is killed, the system lets go once its forked workers have ended, too.

    Raises:
        UserError: Another process holds it, and does so still after `patience` seconds.
    """
    with _opened_lock(folder, patience) as file:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


@contextlib.contextmanager
def _opened_lock(folder: Path, patience: float) -> Iterator[TextIO]:
    path = folder / "lock"
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            _wait_for(file.fileno(), folder, patience)
            # A run that finished meanwhile has removed the folder, and the lock with it.
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                try:
                    yield file
                finally:  # workers that a failed run has left would hold it for as long as they live
                    with contextlib.suppress(OSError):
                        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
                return


def _holder(lock: Path) -> str:
    with contextlib.suppress(OSError):  # removed by a run that has just finished
        return lock.read_text() or "another process"
    return "another process"


def _wait_for(file: int, folder: Path, patience: float) -> None:
    until = time.monotonic() + patience
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _holder(folder / "lock")
        except OSError as error:
            log.warning(
                "%s is on a file system without locks (%s): see that one run alone trains there",
                folder,
                error,
            )
            return
        if time.monotonic() > until:
            raise UserError(
                f"{holder} trains this run already, in {folder}; let it finish, or end it with"
                " `kill` and start again: the run resumes from its last checkpoint."
            )
        if not told:
            log.info(
                "%s trains this run already; waiting up to %g s for it to leave", holder, patience
            )
            told = True
        time.sleep(0.5)
