"""Stop on a signal or before a time limit, after finishing and saving the step in progress."""

import contextlib
import ctypes
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from soco.pretrain.slurm import SlurmJob, current_job

log = logging.getLogger(__name__)

# EX_TEMPFAIL ("try again later") of sysexits.h. Slurm's `RequeueExit=75` requeues a job with this
# exit code. Under Snakemake the exit code is Snakemake's: there, `requeue_on_timeout` asks Slurm.
EXIT_CODE = 75
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class StopSignals:
    """Records SIGTERM (Slurm's warning) and SIGINT (Ctrl-C) during its block.

    A second SIGINT acts at once. A second SIGTERM does not: Slurm sends one to every process, and
    torchrun passes its own on.
    """

    def __init__(self, job: SlurmJob | None = None) -> None:
        """Watch signals and the time limit of a job.

        Args:
            job: The Slurm job; when its time is over, that counts as a SIGTERM.
        """
        self._received: signal.Signals | None = None
        self._job = job
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():  # Python allows no other
            self._before = {
                number: signal.signal(number, self._record)
                for number in (signal.SIGTERM, signal.SIGINT)
            }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    @property
    def asked(self) -> signal.Signals | None:
        """The signal that asks to stop, or None."""
        is_over = self._job is not None and self._job.is_over
        return self._received or (signal.SIGTERM if is_over else None)

    def _record(self, number: int, frame: FrameType | None) -> None:
        if self._received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = signal.Signals(number)


def leave(asked: signal.Signals) -> None:
    """Exit as the signal asks, after the work is saved.

    Raises:
        KeyboardInterrupt: It was SIGINT.
        SystemExit: With `EXIT_CODE`; it was SIGTERM.
    """
    if asked is signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(EXIT_CODE)


@contextlib.contextmanager
def requeue_on_timeout() -> Iterator[None]:
    """Requeue the Slurm job if the block exits because its time limit is near.

    A job that exits only because of a signal is not requeued: whoever cancelled or preempted it may
    restart it.

    Raises:
        SystemExit: As raised by the block. If Slurm does not requeue the job, it counts as failed,
            and Snakemake's `retries` start it again.
    """
    try:
        yield
    except SystemExit as leaving:
        job = current_job() if leaving.code == EXIT_CODE else None
        if job is not None and job.is_over and job.requeue():
            log.info("job %s is near its time limit: requeued, to resume", job.number)
        raise


def ends_with_parent() -> Callable[[], None]:
    """Return a `preexec_fn` for `subprocess`: the child gets SIGTERM when this process ends.

    This works even if this process is killed and cannot send a signal itself.
    """
    # Looked up before the fork: after it, a lock of another thread may never be released.
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
