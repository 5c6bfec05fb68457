"""What a data loader's worker does first."""

import signal

import cv2
import torch


def prepare_worker(worker: int) -> None:
    """Work in one thread, and leave signals to the trainer; `DataLoader` calls this as its
    `worker_init_fn`.

    A core is a worker's share of the machine: threads beside it would take others' time. SIGTERM
    and SIGINT, which a cluster and Ctrl-C send to all processes, are ignored, so that the trainer
    can end its step and save a checkpoint. The trainer must end its workers itself
    (`multiprocessing` would send them SIGTERM at its exit, and wait for ever).
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
