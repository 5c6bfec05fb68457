"""The training processes of a run, and the device that each computes on.

torchrun starts one process for each GPU and numbers them by environment variables. A single process
needs none of that.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

from soco.errors import UserError

Message = TypeVar("Message")


@dataclass(frozen=True)
class Ranks:
    """One of the processes that train together.

    Attributes:
        rank: Index of this process.
        count: Number of processes.
        device: The device of this process.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and reports progress."""
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Return each value summed over all processes."""
        if self.count == 1:
            return list(values)
        # On the CPU by gloo, even where gradients use NCCL: only a few bytes, and no GPU waits.
        summed = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(summed)
        return summed.tolist()

    def broadcast(self, message: Message) -> Message:
        """Return the first process's message in every process."""
        if self.count == 1:
            return message
        messages = [message]
        dist.broadcast_object_list(messages, device=torch.device("cpu"))
        return messages[0]

    def gather(self, message: Message) -> list[Message]:
        """Return the messages of all processes, by rank."""
        if self.count == 1:
            return [message]
        messages: list[Message] = [message] * self.count
        dist.all_gather_object(messages, message)
        return messages


def started_by_torchrun() -> bool:
    """Return whether this process is one of several that torchrun started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextlib.contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the process group of torchrun's processes; leave it at the end of the block."""
    device = training_device(int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        # Otherwise every process would also take memory of GPU 0.
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    yield Ranks(dist.get_rank(), dist.get_world_size(), device)
    # Not after an exception: the other processes may be waiting for this one, and leaving the group
    # would wait for them.
    dist.destroy_process_group()


def training_device(number: int = 0) -> torch.device:
    """Return the GPU of a number, or the CPU on a machine without GPUs."""
    return torch.device("cuda", number) if torch.cuda.is_available() else torch.device("cpu")


def fix_threads(number: int | None = None) -> None:
    """Fix the number of CPU threads, since sums over another number of threads round differently.

    Args:
        number: Threads of this process; None: as many as torch chose. Once the number is set, MKL
            no longer uses fewer threads for small products.
    """
    torch.set_num_threads(number or torch.get_num_threads())


def check_cores(processes: int, workers: int) -> None:
    """Refuse numbers of processes and workers with which a machine grinds to a halt.

    Somewhat more than the cores is fine; only many times the usual number is refused.

    Args:
        processes: Training processes on this machine.
        workers: Data loader workers of each.

    Raises:
        UserError: There are more than eight processes and twice the cores on a machine without
            GPUs, or more than 64 workers and eight times the cores.
    """
    cores = os.cpu_count() or 1
    most_processes, most_workers = max(8, 2 * cores), max(64, 8 * cores)
    if not torch.cuda.is_available() and processes > most_processes:
        raise UserError(
            "machine.too_many_processes",
            "processes is {processes}, but this machine has no GPU and {cores} core(s): lower it to"
            " at most {most}.",
            processes=processes,
            cores=cores,
            most=most_processes,
        )
    if processes * workers > most_workers:
        raise UserError(
            "machine.too_many_workers",
            "workers is {workers} for each of {processes} process(es), but this machine has {cores}"
            " core(s): lower it to at most {most}.",
            workers=workers,
            processes=processes,
            cores=cores,
            most=most_workers // processes,
        )
