"""What pretrained weights can be converted to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from soco.config import DetectorConfig
from soco.errors import UserError
from soco.transfer.convert import detector, mmdetection, resnets
from soco.transfer.convert.features import Features, Probe
from soco.transfer.convert.formats import write_detectron2, write_mmdetection, write_safetensors
from soco.transfer.convert.names import Column, Kind


def _run_in_detectron2(path: Path, sizes: DetectorConfig, probe: Probe) -> Features:
    from soco.transfer.detect.converted import (
        run_in_detectron2,
    )  # loads detectron2, which no other target needs

    return run_in_detectron2(path, sizes, probe)


@dataclass(frozen=True)
class Target:
    """A library's model, and the file that it starts from.

    Attributes:
        library: The model in words.
        column: Whose names it has.
        kind: Which parts it takes.
        suffix: How its file's name ends.
        write: Writes the file, given tensors by the library's names.
        run: Loads a file into the library's model, accounts for every tensor of both, and computes
            its features; nothing where the library cannot be had.
    """

    library: str
    column: Column
    kind: Kind
    suffix: str
    write: Callable[[Path, Mapping[str, Tensor]], None]
    run: Callable[[Path, DetectorConfig, Probe], Features]


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
        mmdetection.match_mmdetection,
    ),
    "torchvision": Target(
        "torchvision's Mask R-CNN FPN",
        "torchvision",
        "fpn_head",
        ".safetensors",
        write_safetensors,
        detector.run_in_torchvision,
    ),
    "torchvision_resnet": Target(
        "torchvision's ResNet",
        "resnet",
        "c4",
        ".safetensors",
        write_safetensors,
        resnets.run_in_torchvision,
    ),
    "timm": Target(
        "timm's ResNet", "resnet", "c4", ".safetensors", write_safetensors, resnets.run_in_timm
    ),
}


def target_of(name: str) -> Target:
    """The target of a name.

    Raises:
        UserError: There is none; the names that there are follow.
    """
    if name not in TARGETS:
        raise UserError(f"There is no conversion to {name}; choose one of {', '.join(TARGETS)}.")
    return TARGETS[name]
