"""The libraries' models that pretrained weights can be converted for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.config import DetectorConfig
from soco.errors import UserError
from soco.transfer.convert import libraries
from soco.transfer.convert.features import Features, ProbeInput
from soco.transfer.convert.formats import write_detectron2, write_mmdetection, write_safetensors
from soco.transfer.convert.names import Column, Kind


def _run_in_detectron2(path: Path, sizes: DetectorConfig, probe: ProbeInput) -> Features:
    # Imported here: it loads detectron2, which no other target needs.
    from soco.transfer.detect.converted import run_in_detectron2

    return run_in_detectron2(path, sizes, probe)


@dataclass(frozen=True)
class Target:
    """A library's model, and the file that initialises it.

    Attributes:
        library: The model in words.
        column: The column of its tensor names in `soco.transfer.convert.names`.
        kind: Which parts it takes.
        suffix: The suffix of its file.
        write: Writes the file from a path, tensors by the library's names, and an origin.
        run: Loads a file into the library's model, checks that the tensors match, and computes the
            features; returns none if the library is not installed.
    """

    library: str
    column: Column
    kind: Kind
    suffix: str
    write: Callable[..., Any]
    run: Callable[[Path, DetectorConfig, ProbeInput], Features]


TARGETS = {
    "detectron2": Target(
        "detectron2's Mask R-CNN FPN",
        "detectron2",
        "fpn_head",
        ".pkl",
        write_detectron2,
        _run_in_detectron2,
    ),
    "detectron2_c4": Target(
        "detectron2's Mask R-CNN C4",
        "detectron2",
        "c4",
        ".pkl",
        write_detectron2,
        _run_in_detectron2,
    ),
    "mmdetection": Target(
        "mmdetection's Mask R-CNN FPN",
        "mmdetection",
        "fpn_head",
        ".pth",
        write_mmdetection,
        libraries.match_mmdetection,
    ),
    "torchvision": Target(
        "torchvision's Mask R-CNN FPN",
        "torchvision",
        "fpn_head",
        ".safetensors",
        write_safetensors,
        libraries.run_torchvision_detector,
    ),
    "torchvision_resnet": Target(
        "torchvision's ResNet",
        "resnet",
        "c4",
        ".safetensors",
        write_safetensors,
        libraries.run_torchvision_resnet,
    ),
    "timm": Target(
        "timm's ResNet", "resnet", "c4", ".safetensors", write_safetensors, libraries.run_timm
    ),
}


def target_of(name: str) -> Target:
    """Look up a target by its name.

    Raises:
        UserError: There is no such target; the message lists the targets.
    """
    if name not in TARGETS:
        raise UserError(
            "convert.unknown_target",
            "There is no conversion target {target}; choose one of {targets}.",
            target=name,
            targets=", ".join(TARGETS),
        )
    return TARGETS[name]
