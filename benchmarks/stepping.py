"""A pretraining step to measure: a model, its optimiser, and a batch of random pixels."""

import dataclasses

import torch

from soco.config import DetectorConfig, PretrainConfig
from soco.pretrain.graph import GraphedStep
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model
from soco.pretrain.step import Rates, TrainStep
from soco.pretrain.views.batch import Batch, Pair

RATES = Rates(lr=0.01, ema_momentum=0.99)


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
        graph: Whether steps are replayed as a CUDA graph; a CPU has none.
    """

    name: str
    settings: PretrainConfig = dataclasses.field(default_factory=PretrainConfig)
    detector: DetectorConfig = dataclasses.field(default_factory=DetectorConfig)
    dtype: torch.dtype | None = None
    channels_last: bool = True
    tf32: bool = False
    graph: bool = False

    def changed(self, name: str, **keys: object) -> "Variant":
        """Return it with another name and other values of the recipe's keys."""
        return dataclasses.replace(self, name=name, settings=self.settings.model_copy(update=keys))


def make_batch(settings: PretrainConfig, count: int) -> Batch:
    """Make random images with boxes whose sides are 0.3 to 0.8 of a view's side."""
    generator = torch.Generator().manual_seed(0)
    views = tuple(
        torch.randn(count, 3, view.size, view.size, generator=generator) for view in settings.views
    )

    drawn = 1 if settings.boxes == "whole" else settings.boxes

    def boxes() -> torch.Tensor:
        side = 0.3 + 0.5 * torch.rand(count, drawn, 2, generator=generator)
        corner = torch.rand(count, drawn, 2, generator=generator) * (1 - side)
        return torch.cat([corner, corner + side], dim=-1)

    ids = torch.arange(1, drawn + 1).expand(count, -1)
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
        optimiser = LARS(p for p in self.model.parameters() if p.requires_grad)
        scaler = torch.amp.GradScaler(device, enabled=variant.dtype is torch.float16)
        self.plain = TrainStep(self.model, optimiser, scaler, variant.dtype, accumulate=1)
        graphed = variant.graph and device == "cuda"
        self._take = GraphedStep(self.plain) if graphed else self.plain
        self.batch = make_batch(variant.settings, count).to(device, memory_format)

    @property
    def has_no_graph(self) -> bool:
        """Whether a graph was asked for, but could not be used."""
        return isinstance(self._take, GraphedStep) and self._take._graph is None

    def step(self) -> None:
        """Take one step of the training loop."""
        self._take(iter([self.batch]), RATES)

    def gradient(self) -> None:
        """Forward and backward pass."""
        self.plain.optimiser.zero_grad(set_to_none=True)
        self.plain.differentiate(self.batch)
