"""A linear layer on frozen features, trained with SGD, momentum and a cosine.

Features are standardised channel by channel with the training images' mean and deviation. A norm
without affine parameters does this before the layer in He et al., "Masked autoencoders are scalable
vision learners" (CVPR 2022, appendix A.1), batch by batch. One learning rate then serves features
of any scale.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from soco.config import ProbeConfig
from soco.errors import UserError
from soco.progress import progress_bar
from soco.transfer.probe.accuracy import Hits, hits, joined, percent
from soco.transfer.probe.features import Features

_MOMENTUM = 0.9
_HELD_OUT = 5  # one of so many training images of a class chooses the learning rate
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Standard:
    """What features are standardised by.

    Attributes:
        mean: (D,) of the training images.
        deviation: (D,) of the training images; infinite, which makes all features 0, where a
            channel does not vary.
    """

    mean: Tensor
    deviation: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """(N, D) to (N, D) of mean 0 and deviation 1."""
        return (vectors - self.mean) / self.deviation


@dataclass(frozen=True)
class Linear:
    """What the linear probe found.

    Attributes:
        val: Hits among the validation images.
        train: Hits among the training images that it learnt from.
        base_lr: The learning rate it was trained with.
        choice: For each learning rate tried its top-1 on the images held out for the choice; empty
            for one alone.
    """

    val: Hits
    train: Hits
    base_lr: float
    choice: dict[float, float]


def linear_probe(
    train: Features,
    val: Features,
    classes: int,
    settings: ProbeConfig,
    seed: int,
    device: torch.device,
) -> Linear:
    """Train a linear layer on all training features and classify the validation ones.

    Of several learning rates the one is taken that does best on a fifth of the training images when
    the layer is trained on the others; validation images have no part in it.

    Args:
        train: Features that are learnt from.
        val: Features that are classified.
        classes: C.
        settings: Rates, epochs, batch, weight decay.
        seed: The order of images, and which are held out.
        device: Where the layer is trained.

    Raises:
        UserError: There are several rates, and no class has the two images that a choice needs.
    """
    generator = torch.Generator().manual_seed(seed)
    choice: dict[float, float] = {}
    rates = sorted(settings.base_lrs)
    if len(rates) > 1:
        kept, held_out = _split(train.labels, generator)
        standard = _standard(train.vectors, kept, device)
        layers = _train(
            train, kept, standard, classes, rates, settings, generator, "choosing a rate"
        )
        judged = Features(train.vectors[held_out], train.labels[held_out], 0)
        choice = {
            rate: percent(_classify(judged, standard, layer).top1)
            for rate, layer in zip(rates, layers, strict=True)
        }
    rate = max(rates, key=lambda each: choice.get(each, 0.0))
    everything = torch.arange(len(train.labels))
    standard = _standard(train.vectors, everything, device)
    (layer,) = _train(train, everything, standard, classes, [rate], settings, generator, "linear")
    return Linear(_classify(val, standard, layer), _classify(train, standard, layer), rate, choice)


def _split(labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers of images to learn from, and of images held out.

    Of each class a fifth, of two to five one.
    """
    kept, held_out = [], []
    for label in labels.unique().tolist():
        numbers = (labels == label).nonzero()[:, 0]
        numbers = numbers[torch.randperm(len(numbers), generator=generator)]
        count = max(len(numbers) // _HELD_OUT, int(len(numbers) > 1))
        held_out.append(numbers[:count])
        kept.append(numbers[count:])
    if not any(len(numbers) for numbers in held_out):
        raise UserError(
            "Each class has one training image, too few to choose a learning rate: give one"
            " base_lrs."
        )
    return torch.cat(kept).sort().values, torch.cat(held_out).sort().values


def _standard(vectors: Tensor, numbers: Tensor, device: torch.device) -> Standard:
    """Mean and deviation of some of the vectors, by sums in float64.

    Float32 loses digits over a million images.
    """
    mean = sum(vectors[some].double().sum(dim=0) for some in numbers.split(_BLOCK)) / len(numbers)
    squares = sum(
        (vectors[some].double() - mean).square().sum(dim=0) for some in numbers.split(_BLOCK)
    )
    deviation = (squares / len(numbers)).sqrt()
    varies = deviation > 1e-6 * mean.abs()  # less is the rounding of float32
    deviation[~varies] = math.inf
    return Standard(mean.float().to(device), deviation.float().to(device))


def _train(
    train: Features,
    numbers: Tensor,
    standard: Standard,
    classes: int,
    rates: Sequence[float],
    settings: ProbeConfig,
    generator: torch.Generator,
    what: str,
) -> list[nn.Linear]:
    """Train a layer for each rate on some of the images, all on the same batches.

    Features are fetched once.
    """
    batch = min(settings.batch_size, len(numbers))
    device = standard.mean.device
    layers = [_zeros(train.vectors.shape[1], classes).to(device) for _ in rates]
    groups = [
        {"params": layer.parameters(), "lr": rate * batch / 256}
        for layer, rate in zip(layers, rates, strict=True)
    ]
    optimiser = torch.optim.SGD(groups, momentum=_MOMENTUM, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(numbers) / batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: (1 + math.cos(math.pi * step / steps)) / 2
    )
    with progress_bar(settings.epochs, what, "epoch") as bar:
        for _ in range(settings.epochs):
            for some in numbers[torch.randperm(len(numbers), generator=generator)].split(batch):
                vectors, labels = (
                    standard(train.vectors[some].to(device)),
                    train.labels[some].to(device),
                )
                # Layers share no parameter: the gradient of the sum is each one's own.
                loss = torch.stack(
                    [functional.cross_entropy(layer(vectors), labels) for layer in layers]
                ).sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            bar.update(1)
    return layers


def _zeros(channels: int, classes: int) -> nn.Linear:
    """A layer of zeros: the loss is convex, and no start is better than another."""
    layer = nn.utils.skip_init(nn.Linear, channels, classes)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


@torch.inference_mode()
def _classify(features: Features, standard: Standard, layer: nn.Linear) -> Hits:
    blocks = zip(features.vectors.split(_BLOCK), features.labels.split(_BLOCK), strict=True)
    device = standard.mean.device
    return joined(
        [hits(layer(standard(vectors.to(device))), labels.to(device)) for vectors, labels in blocks]
    )
