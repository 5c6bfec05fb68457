"""A pretraining step to measure: a model, its optimiser, and a batch of random pixels."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from soco.config import DetectorConfig, PretrainConfig
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model
from soco.pretrain.views.batch import Batch, Pair


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to compute a step.

    Attributes:
        name: What the tables call it.
        settings: The recipe.
        detector: The sizes of the modules that detectors fine-tune.
        dtype: The type in which autocast computes; None for float32.
        channels_last: Whether weights and views have channels-last memory.
        tf32: Whether a GPU may round the factors of float32 products to TF32.
    """

    name: str
    settings: PretrainConfig = dataclasses.field(default_factory=PretrainConfig)
    detector: DetectorConfig = dataclasses.field(default_factory=DetectorConfig)
    dtype: torch.dtype | None = None
    channels_last: bool = True
    tf32: bool = False

    def changed(self, name: str, **keys: object) -> "Variant":
        """Return it with another name and other values of the recipe's keys."""
        return dataclasses.replace(self, name=name, settings=self.settings.model_copy(update=keys))


def make_batch(settings: PretrainConfig, count: int) -> Batch:
    """Make random images with boxes whose sides are 0.3 to 0.8 of a view's side."""
    generator = torch.Generator().manual_seed(0)
    views = tuple(
        torch.randn(count, 3, view.size, view.size, generator=generator) for view in settings.views
    )

    def boxes() -> torch.Tensor:
        side = 0.3 + 0.5 * torch.rand(count, settings.boxes, 2, generator=generator)
        corner = torch.rand(count, settings.boxes, 2, generator=generator) * (1 - side)
        return torch.cat([corner, corner + side], dim=-1)

    ids = torch.arange(1, settings.boxes + 1).expand(count, -1)
    pairs = tuple(Pair(boxes(), ids, boxes(), ids) for _ in settings.views[1:])
    return Batch(views, pairs, torch.arange(count))


class Stepper:
    """A model, its optimiser and a batch."""

    def __init__(self, variant: Variant, count: int, device: str = "cpu") -> None:
        """Build them on a device.

        Args:
            variant: How a step is computed.
            count: Images in the batch.
            device: `cpu` or `cuda`.
        """
        memory_format = torch.channels_last if variant.channels_last else torch.contiguous_format
        self.model = (
            build_model(variant.settings, variant.detector, seed=0)
            .to(device, memory_format=memory_format)
            .train()
        )
        if variant.settings.compile:
            self.model.compile_parts()
        self.optimiser = LARS(p for p in self.model.parameters() if p.requires_grad)
        for group in self.optimiser.param_groups:
            group["lr"] = 0.01
        self.scaler = torch.amp.GradScaler(device, enabled=variant.dtype is torch.float16)
        self.batch = make_batch(variant.settings, count).to(device, memory_format)
        self.device, self.dtype = device, variant.dtype

    def step(self) -> None:
        """Take one step, as the training loop does."""
        with timed("EMA"):
            self.model.update_target(0.99)
        self.gradient()
        with timed("LARS"):
            self.scaler.step(self.optimiser)
            self.scaler.update()

    def gradient(self) -> None:
        """Forward and backward pass."""
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
            loss = self.model(self.batch).loss
        with timed("backward"):
            self.scaler.scale(loss).backward()


SECONDS: dict[str, float] = {}


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Add the time of the block to `SECONDS` under a name."""
    start = time.perf_counter()
    yield
    SECONDS[name] = SECONDS.get(name, 0.0) + time.perf_counter() - start
