"""What a process that makes views does first."""

import signal

import cv2
import torch


def prepare_worker(worker: int) -> None:
    """Compute on one thread, and leave signals to the trainer, which saves a checkpoint and ends its workers itself."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
