"""Being asked to stop, or running out of time.

The step under way is finished and saved, and the process leaves.
"""

import ctypes
import signal
import threading
from collections.abc import Callable
from types import FrameType

from soco.pretrain.slurm import SlurmJob

# "Try again later" in sysexits.h. Slurm's `RequeueExit=75` starts a job again whose own code this
# is; under Snakemake the code is Snakemake's, and soco.pretrain.slurm asks for it.
EXIT_CODE = 75


class StopSignals:
    """Notes SIGTERM (Slurm's warning) and SIGINT (Ctrl-C) while its block runs; a second Ctrl-C
    acts at once.

    A second SIGTERM does not: Slurm sends it to every process, and torchrun passes on its own.
    """

    def __init__(self, job: SlurmJob | None = None) -> None:
        """Watch signals.

        Args:
            job: Its time is watched as well: when it is over, that is as if SIGTERM had come.
        """
        self._noted: signal.Signals | None = None
        self._job = job
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():  # signals reach no other
            self._before = {
                number: signal.signal(number, self._note)
                for number in (signal.SIGTERM, signal.SIGINT)
            }
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    @property
    def asked(self) -> signal.Signals | None:
        """The signal that came last, or None."""
        return self._noted or (
            signal.SIGTERM if self._job is not None and self._job.is_over else None
        )

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._noted == number == signal.SIGINT:
            raise KeyboardInterrupt
        self._noted = signal.Signals(number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}


def leave(asked: signal.Signals) -> None:
    """End as the signal wants it, the work being safe.

    Raises:
        KeyboardInterrupt: It was SIGINT.
        SystemExit: With `EXIT_CODE`; it was SIGTERM.
    """
    if asked is signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(EXIT_CODE)


def ends_with_parent() -> Callable[[], None]:
    """For `subprocess`.

    Let the child get SIGTERM when this process ends, even by a kill that leaves it no time.
    """
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


_PR_SET_PDEATHSIG = 1  # linux/prctl.h
