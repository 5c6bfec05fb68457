"""The batches of a training: made by workers, copied to the device ahead of their step."""

import collections
import time
from collections.abc import Generator, Iterator

import torch
from torch.utils.data import DataLoader

from soco import torch_compat
from soco.errors import UserError
from soco.pretrain.sampler import EpochSampler
from soco.pretrain.views import Batch, ViewDataset, prepare_worker
from soco.pretrain.views.dataset import Reported

# Batches on a GPU besides the one that it computes with: a host that ran farther ahead would only
# fill its memory.
_AHEAD = 2


class Feed(Iterator[Batch]):
    """Batches on the device that trains, in the sampler's order; `close` ends the workers.

    Attributes:
        waited: Seconds spent waiting for batches; whoever reads it may set it to 0.
    """

    def __init__(
        self, dataset: ViewDataset, sampler: EpochSampler, workers: int, device: torch.device
    ) -> None:
        """Start the workers.

        Args:
            dataset: The images.
            sampler: Which images are in which batch.
            workers: Processes that make views; 0: this one.
            device: Receives the batches.
        """
        self.waited = 0.0
        self._made = _made_batches(dataset, sampler, workers, device)
        self._copied = _copied_ahead(self._timed(), device)

    def __next__(self) -> Batch:
        return next(self._copied)

    def close(self) -> None:
        """End the workers."""
        self._made.close()

    def _timed(self) -> Iterator[Batch]:
        while True:
            start = time.monotonic()
            try:
                batch = next(self._made)
            except StopIteration:
                return
            self.waited += time.monotonic() - start
            yield batch


def _made_batches(
    dataset: ViewDataset, sampler: EpochSampler, workers: int, device: torch.device
) -> Generator[Batch]:
    """Batches in host memory."""
    torch_compat.report_worker_errors()
    loader = DataLoader(
        Reported(dataset),
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=Reported.collate,
        pin_memory=device.type == "cuda",
        worker_init_fn=prepare_worker,
        # Forked, so that workers share the mapped store and the compiled loops.
        multiprocessing_context="fork" if workers else None,
    )
    batches = iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, UserError):
                raise batch
            yield batch
    finally:
        torch_compat.stop_workers(batches)


def _copied_ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Copy batches to the device; on a GPU while it computes the steps before.

    The views are channels-last: convolutions need no transposed copies (1.1 times as fast on a CPU,
    see docs/pretraining.md), and RoIAlign reads the maps as views.
    """
    if device.type != "cuda":
        yield from (batch.to(device, torch.channels_last) for batch in batches)
        return
    copies = torch.cuda.Stream(device)
    steps: collections.deque[torch.cuda.Event] = collections.deque()
    for batch in batches:
        with torch.cuda.stream(copies):
            copied = batch.to(device, torch.channels_last)
        current = torch.cuda.current_stream(device)
        current.wait_stream(copies)
        # The memory of a batch belongs to the stream of the copies, which must not use it again
        # while the step still reads it.
        copied.record_stream(current)
        yield copied
        # Behind the step that used the batch.
        steps.append(current.record_event())
        if len(steps) > _AHEAD:
            steps.popleft().synchronize()
