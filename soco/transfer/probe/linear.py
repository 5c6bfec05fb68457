"""A linear layer on frozen features, trained with SGD, momentum and a cosine schedule.

Each channel is standardised with the training images' mean and standard deviation, so that one
learning rate suits features of any scale. He et al., "Masked autoencoders are scalable vision
learners" (CVPR 2022, appendix A.1), do the same with a batch norm without affine parameters, batch
by batch.
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
_HELD_OUT = 5  # one of five training images of each class is held out to choose the learning rate
_BLOCK = 1 << 14  # rows: 256 MB in float64 with 2048 channels


@dataclass(frozen=True)
class Standard:
    """The statistics that standardise features.

    Attributes:
        mean: (D,) of the training images.
        deviation: (D,) standard deviation of the training images; infinite where a channel is
            constant, which makes all its features 0.
    """

    mean: Tensor
    deviation: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """(N, D) to (N, D) of mean 0 and standard deviation 1."""
        return (vectors - self.mean) / self.deviation


@dataclass(frozen=True)
class Linear:
    """The result of the linear probe.

    Attributes:
        val: Hits among the validation images.
        train: Hits among the training images.
        base_lr: The learning rate that was used.
        choice: The top-1 accuracy of each learning rate on the held-out images; empty if there is
            only one rate.
    """

    val: Hits
    train: Hits
    base_lr: float
    choice: dict[float, float]


@dataclass(frozen=True)
class _Training:
    """What all trainings of one probe share."""

    features: Features
    classes: int
    settings: ProbeConfig
    generator: torch.Generator
    device: torch.device


def linear_probe(
    train: Features,
    val: Features,
    classes: int,
    settings: ProbeConfig,
    seed: int,
    device: torch.device,
) -> Linear:
    """Train a linear layer on all training features and classify the validation features.

    Of several learning rates, the one that does best on a held-out fifth of the training images is
    used; for that choice the layer is trained on the rest. Validation images play no part in it.

    Args:
        train: Features to train on.
        val: Features to classify.
        classes: C, number of classes.
        settings: Learning rates, epochs, batch size, weight decay.
        seed: Seed of the order of images and of the held-out images.
        device: Where the layer is trained.

    Raises:
        UserError: There are several rates, but no class has two images, which the choice needs.
    """
    # On the CPU, so that the draws are the same whatever device trains.
    generator = torch.Generator().manual_seed(seed)
    training = _Training(train, classes, settings, generator, device)
    choice: dict[float, float] = {}
    rates = sorted(settings.base_lrs)
    if len(rates) > 1:
        choice = _try_rates(training, rates)
    # Rates are sorted: of equally good ones, `max` takes the smallest.
    rate = max(rates, key=lambda each: choice.get(each, 0.0))
    everything = torch.arange(len(train.labels))
    standard = _standard(train.vectors, everything, device)
    (layer,) = _train(training, everything, standard, [rate], "linear")
    return Linear(_classify(val, standard, layer), _classify(train, standard, layer), rate, choice)


def _try_rates(training: _Training, rates: list[float]) -> dict[float, float]:
    """The top-1 accuracy of each learning rate on held-out training images."""
    train = training.features
    kept, held_out = _split(train.labels, training.generator)
    standard = _standard(train.vectors, kept, training.device)
    layers = _train(training, kept, standard, rates, "choosing a rate")
    held_out_features = Features(train.vectors[held_out], train.labels[held_out], 0)
    return {
        rate: percent(_classify(held_out_features, standard, layer).top1)
        for rate, layer in zip(rates, layers, strict=True)
    }


def _split(labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices of images to train on, and of images held out.

    A fifth of each class is held out, and one image of a class with two to five.
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
            "probe.too_few_images",
            "Each class has only one training image, too few to choose a learning rate; give a"
            " single one in base_lrs.",
        )
    # In the images' order, so that blocks are read forwards in memory.
    return torch.cat(kept).sort().values, torch.cat(held_out).sort().values


def _standard(vectors: Tensor, numbers: Tensor, device: torch.device) -> Standard:
    """Mean and standard deviation of some of the vectors.

    Sums are in float64: float32 loses digits over a million images.
    """
    mean = sum(vectors[some].double().sum(dim=0) for some in numbers.split(_BLOCK)) / len(numbers)
    squares = sum(
        (vectors[some].double() - mean).square().sum(dim=0) for some in numbers.split(_BLOCK)
    )
    deviation = (squares / len(numbers)).sqrt()
    varies = deviation > 1e-6 * mean.abs()  # less is float32's rounding
    deviation[~varies] = math.inf
    return Standard(mean.float().to(device), deviation.float().to(device))


def _train(
    training: _Training, numbers: Tensor, standard: Standard, rates: Sequence[float], title: str
) -> list[nn.Linear]:
    """Train a layer for each rate on some of the images, all on the same batches.

    Each batch is copied to the device once for all rates.
    """
    train, settings, device = training.features, training.settings, training.device
    batch = min(settings.batch_size, len(numbers))
    layers = [_zeros(train.vectors.shape[1], training.classes).to(device) for _ in rates]
    groups = [
        # Linear scaling, as in pretraining: base_lr is for 256 images.
        {"params": layer.parameters(), "lr": rate * batch / 256}
        for layer, rate in zip(layers, rates, strict=True)
    ]
    optimiser = torch.optim.SGD(groups, momentum=_MOMENTUM, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(len(numbers) / batch)
    # A factor (1 + cos(pi t / T)) / 2 on each layer's rate, by step.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: (1 + math.cos(math.pi * step / steps)) / 2
    )
    with progress_bar(settings.epochs, title, "epoch") as bar:
        for _ in range(settings.epochs):
            order = torch.randperm(len(numbers), generator=training.generator)
            for some in numbers[order].split(batch):
                vectors = standard(train.vectors[some].to(device))
                labels = train.labels[some].to(device)
                # Layers share no parameter: the gradient of the sum is each layer's own.
                losses = [functional.cross_entropy(layer(vectors), labels) for layer in layers]
                optimiser.zero_grad()
                torch.stack(losses).sum().backward()
                optimiser.step()
                schedule.step()
            bar.update(1)
    return layers


def _zeros(channels: int, classes: int) -> nn.Linear:
    """A layer of zeros: the loss is convex, so the initialisation does not matter."""
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
