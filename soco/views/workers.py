"""What a data loader's worker does first."""

import signal
from types import FrameType

import cv2
import torch

_GRACE = 20  # seconds


def prepare_worker(worker: int) -> None:
    """Work in one thread, and leave signals to the trainer; `DataLoader` calls this as its `worker_init_fn`.

    A core is a worker's share of the machine: threads beside it would take others' time. SIGTERM and SIGINT, which a
    cluster and Ctrl-C send to all processes, let a worker go on, so that the trainer can end its step and save a
    checkpoint; it then ends its workers itself. SIGTERM is obeyed after 20 seconds: a trainer that fails with its
    workers alive sends it and waits for them, and would wait for ever if it were ignored.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)


def _end_later(number: int, frame: FrameType | None) -> None:
    signal.alarm(_GRACE)  # its signal ends the process
