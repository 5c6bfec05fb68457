"""What a data loader's worker does first."""

import signal

import cv2
import torch


def prepare_worker(worker: int) -> None:
    """Work in one thread, and leave signals to the trainer; `DataLoader` calls this as its `worker_init_fn`.

    A core is a worker's share of the machine: threads beside it would take others' time. On SIGTERM and SIGINT, which
    a cluster and Ctrl-C send to all processes, the trainer first saves a checkpoint and then ends its workers itself.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
