"""Run both probes of one backbone, and return the results as plain data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from soco.config import ProbeConfig
from soco.pretrain.distributed import check_cores, training_device
from soco.transfer.probe.accuracy import Hits, percent, summary
from soco.transfer.probe.backbone import frozen_backbone
from soco.transfer.probe.features import Features, features_of
from soco.transfer.probe.folder import labelled_splits
from soco.transfer.probe.knn import knn_hits
from soco.transfer.probe.linear import linear_probe


def probe_backbone(
    settings: ProbeConfig, weights: Path | None, backbone: str | None, seed: int
) -> dict[str, Any]:
    """Compute all features once, and classify the validation images by kNN and a linear layer.

    Args:
        settings: The images, and the probes' settings; `initialisations` is not read.
        weights: A file that `load_source` accepts; None draws fresh weights.
        backbone: The ResNet's name; None takes the one in the file.
        seed: Seed of fresh weights and of the linear layer's training.

    Returns:
        Accuracies in percent, counts and settings, ready for JSON; docs/probes.md explains each
        key.

    Raises:
        UserError: The folders or the weights cannot be used.
    """
    check_cores(1, settings.workers)
    train_folder, val_folder = labelled_splits(Path(settings.train), Path(settings.val))
    encoder, name = frozen_backbone(weights, backbone, seed)
    device = training_device()
    encoder = encoder.to(device)
    train, val = (
        features_of(encoder, folder, settings.short_side, settings.crop, settings.workers, device)
        for folder in (train_folder, val_folder)
    )
    classes = train_folder.classes
    neighbours = min(settings.neighbours, len(train.labels))
    knn = knn_hits(train, val, len(classes), neighbours, settings.temperature, device)
    linear = linear_probe(train, val, len(classes), settings, seed, device)
    return {
        "backbone": name,
        "classes": len(classes),
        "images": {"train": len(train.labels), "val": len(val.labels)},
        "skipped": {"train": train.skipped, "val": val.skipped},
        "commonest_class": percent(val.labels == train.labels.bincount().argmax()),
        "knn": {
            **summary(knn, len(classes)),
            "neighbours": neighbours,
            "temperature": settings.temperature,
        },
        "linear": {
            **summary(linear.val, len(classes)),
            "train_top1": percent(linear.train.top1),
            "base_lr": linear.base_lr,
            "choice": [{"base_lr": rate, "top1": top1} for rate, top1 in linear.choice.items()],
            **{key: getattr(settings, key) for key in ("epochs", "batch_size", "weight_decay")},
        },
        "per_class": _per_class(classes, train, val, knn, linear.val),
        "short_side": settings.short_side,
        "crop": settings.crop,
        "seed": seed,
    }


def _per_class(
    classes: Sequence[str], train: Features, val: Features, knn: Hits, linear: Hits
) -> dict[str, Any]:
    def counts(labels: Tensor) -> Tensor:
        return torch.bincount(labels, minlength=len(classes))

    def share(result: Hits) -> Tensor:
        # No division by zero: `features_of` refuses a class without a readable image.
        return 100 * counts(val.labels[result.top1]) / counts(val.labels)

    columns = (counts(train.labels), counts(val.labels), share(knn), share(linear))
    return {
        name: {
            "images": {"train": in_train, "val": in_val},
            "knn": round(by_knn, 3),
            "linear": round(by_linear, 3),
        }
        for name, in_train, in_val, by_knn, by_linear in zip(
            classes, *(c.tolist() for c in columns), strict=True
        )
    }
