"""The training processes of a run: who this one is, and what it says to the others.

torchrun starts one process for each GPU and names them by environment variables; a process alone
needs none of it.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

from soco.pretrain.hardware import training_device

Message = TypeVar("Message")


@dataclass(frozen=True)
class Ranks:
    """One process among `count` that train together.

    Attributes:
        rank: Number of this process, from 0.
        count: How many there are.
        device: What this process computes on.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and tells of progress."""
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Each value summed over all processes."""
        if self.count == 1:
            return list(values)
        # On the CPU by gloo, also where gradients go by NCCL: a few bytes, and no file or GPU can
        # hold them up.
        summed = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(summed)
        return summed.tolist()

    def from_first(self, message: Message) -> Message:
        """What the first process gives, in every process."""
        if self.count == 1:
            return message
        held = [message]
        dist.broadcast_object_list(held, device=torch.device("cpu"))
        return held[0]

    def from_all(self, message: Message) -> list[Message]:
        """What each process gives, by its number."""
        if self.count == 1:
            return [message]
        held: list[Message] = [message] * self.count
        dist.all_gather_object(held, message)
        return held


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextlib.contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun started; leave them at the end of the block."""
    device = training_device(int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    yield Ranks(dist.get_rank(), dist.get_world_size(), device)
    # Not after a failure: the others may be waiting for this process, and would make it wait as
    # well.
    dist.destroy_process_group()
