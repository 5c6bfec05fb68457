"""One optimisation step, all of it on the device: nothing in it waits for the GPU.

There are two exceptions: fp16's loss scaling, and torch's SyncBatchNorm on several GPUs, which
reads in each norm which processes have rows.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from soco import torch_compat
from soco.pretrain.model import SoCo
from soco.pretrain.optimiser import set_rate
from soco.pretrain.views import Batch

VALUES = ("loss", "constant", "spread", "cosine_apart")


@dataclasses.dataclass(frozen=True)
class Rates:
    """What changes from step to step.

    Attributes:
        lr: Learning rate.
        ema_momentum: Momentum of the target branch.
    """

    lr: float
    ema_momentum: float


@dataclasses.dataclass(frozen=True)
class Taken:
    """A step whose results are still on the device.

    Attributes:
        values: (accumulate, 4) `VALUES` of each gradient accumulation step.
        images: For each of them the numbers of its images, on the CPU.
    """

    values: Tensor
    images: list[Tensor]


class TrainStep:
    """EMA, forward and backward pass, the optimiser's step."""

    def __init__(
        self,
        model: SoCo,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        autocast_type: torch.dtype | None,
        accumulate: int,
    ) -> None:
        """Prepare the steps of a model, which is on its device.

        Args:
            model: The model; several processes wrap it by `distribute` before the first step.
            optimiser: Its optimiser.
            scaler: The loss scaler, enabled for fp16 only.
            autocast_type: The type that autocast computes in; None for float32.
            accumulate: Gradient accumulation steps of a step.
        """
        self.model, self.optimiser, self.scaler = model, optimiser, scaler
        self.autocast_type, self.accumulate = autocast_type, accumulate
        self._parallel: nn.Module = model

    def distribute(self, device: torch.device) -> None:
        """Average gradients over the training processes."""
        devices = [device] if device.type == "cuda" else None
        # No broadcast of buffers: synchronised norms have the same statistics in all processes.
        # Gradients are views of DDP's buckets, which saves a copy of all of them.
        self._parallel = DistributedDataParallel(
            self.model,
            devices,
            gradient_as_bucket_view=True,
            **torch_compat.buffers_of_their_own(),
        )

    def __call__(self, batches: Iterator[Batch], rates: Rates) -> Taken:
        """Take one step.

        Args:
            batches: Batches on the device; the step takes `accumulate` of them.
            rates: The step's rates.
        """
        self.begin(rates.ema_momentum)
        values, images = [], []
        for number, batch in enumerate(itertools.islice(batches, self.accumulate), start=1):
            values.append(self.differentiate(batch, last=number == self.accumulate))
            images.append(batch.numbers)
        self.finish(rates.lr)
        return Taken(torch.stack(values), images)

    def begin(self, ema_momentum: float | Tensor) -> None:
        """Update the target and drop the gradients.

        As in the release, the EMA comes before the forward pass, with the weights that the last
        step left.
        """
        self.model.update_target(ema_momentum)
        self.optimiser.zero_grad(set_to_none=True)

    def differentiate(self, batch: Batch, last: bool = True) -> Tensor:
        """Run forward and backward for one of the gradient accumulation steps; return `VALUES`.

        Gradients add up, and only the last step averages them over the processes: DDP would
        otherwise communicate in each of them.
        """
        # Parts are equal, so that the mean of their means is that of the whole batch. The norms,
        # however, have statistics of one part only.
        share = 1 / self.accumulate
        alone = last or not isinstance(self._parallel, DistributedDataParallel)
        with contextlib.nullcontext() if alone else self._parallel.no_sync():
            device = batch.views[0].device.type
            with torch.autocast(device, self.autocast_type, enabled=self.autocast_type is not None):
                agreement = self._parallel(batch)
            self.scaler.scale(agreement.objective * share).backward()
        return torch.stack([getattr(agreement, name).detach() for name in VALUES])

    def finish(self, lr: float | Tensor) -> None:
        """Let the optimiser step.

        A loss that is not finite may reach the weights here, but nothing else: it is read before
        anything is saved.
        """
        set_rate(self.optimiser, lr)
        self.scaler.step(self.optimiser)
        self.scaler.update()
