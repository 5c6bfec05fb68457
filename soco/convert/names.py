"""One table: a tensor's name in our pretrained weights, and its name in each library that fine-tunes them.

A row holds for a whole family of tensors. Its first column is a pattern over our names (the release's own, without
its `module.`); the columns after it are templates that may use what the pattern caught, and also

* `{stage}`, the ResNet stage counted as detectors do: `layer1` is stage 2, at stride 4;
* `{level}`, the pyramid level that stands at that stride: entry 0 of the neck is level 2.

A further library is a further field of `Row`, filled in row by row.
"""

import re
from dataclasses import dataclass
from typing import Literal

Target = Literal["detectron2"]
Kind = Literal["fpn_head", "c4"]

KINDS: dict[Kind, tuple[str, ...]] = {"fpn_head": ("encoder", "neck", "head"), "c4": ("encoder",)}
"""The parts of the model that each kind of converted file carries."""


@dataclass(frozen=True)
class Row:
    """A family of tensors: `ours` is a pattern over our names, the other fields are templates of theirs."""

    ours: str
    detectron2: str


_BLOCK = r"encoder\.layer(?P<layer>\d+)\.(?P<block>\d+)"
_LEAF = r"(?P<leaf>weight|bias)"
_NORM = r"(?P<leaf>weight|bias|running_mean|running_var|num_batches_tracked)"

TABLE = (
    Row(rf"encoder\.conv1\.{_LEAF}", "stem.conv1.{leaf}"),
    Row(rf"encoder\.bn1\.{_NORM}", "stem.conv1.norm.{leaf}"),
    Row(rf"{_BLOCK}\.conv(?P<n>\d+)\.{_LEAF}", "res{stage}.{block}.conv{n}.{leaf}"),
    Row(rf"{_BLOCK}\.bn(?P<n>\d+)\.{_NORM}", "res{stage}.{block}.conv{n}.norm.{leaf}"),
    Row(rf"{_BLOCK}\.downsample\.0\.{_LEAF}", "res{stage}.{block}.shortcut.{leaf}"),
    Row(rf"{_BLOCK}\.downsample\.1\.{_NORM}", "res{stage}.{block}.shortcut.norm.{leaf}"),
    Row(rf"neck\.lateral_convs\.(?P<entry>\d+)\.conv\.{_LEAF}", "fpn_lateral{level}.{leaf}"),
    Row(rf"neck\.lateral_convs\.(?P<entry>\d+)\.bn\.{_NORM}", "fpn_lateral{level}.norm.{leaf}"),
    Row(rf"neck\.fpn_convs\.(?P<entry>\d+)\.conv\.{_LEAF}", "fpn_output{level}.{leaf}"),
    Row(rf"neck\.fpn_convs\.(?P<entry>\d+)\.bn\.{_NORM}", "fpn_output{level}.norm.{leaf}"),
    Row(rf"head\.conv(?P<n>\d+)\.{_LEAF}", "box_head.conv{n}.{leaf}"),
    Row(rf"head\.bn(?P<n>\d+)\.{_NORM}", "box_head.conv{n}.norm.{leaf}"),
    Row(rf"head\.fc(?P<n>\d+)\.{_LEAF}", "box_head.fc{n}.{leaf}"),
)

_NOT_CARRIED = {
    "projector": "only the pretraining loss uses the projector",
    "predictor": "only the pretraining loss uses the predictor",
    "encoder_k": "the target branch is a slow copy of the online branch",
    "neck_k": "the target branch is a slow copy of the online branch",
    "head_k": "the target branch is a slow copy of the online branch",
    "projector_k": "the target branch is a slow copy of the online branch",
}


def part_of(name: str) -> str:
    """The part of the model that a tensor belongs to: the first component of its name, `module.` aside."""
    return name.removeprefix("module.").split(".", 1)[0]


def left_behind(name: str, kind: Kind) -> str | None:
    """Why a converted file of this kind does not carry the tensor; None where it does, or where the name is unknown."""
    part = part_of(name)
    if part in KINDS["fpn_head"] and part not in KINDS[kind]:
        return f"a {kind} file carries the ResNet alone"
    return _NOT_CARRIED.get(part)


def renamed(name: str, target: Target = "detectron2") -> str | None:
    """The tensor's name in the target library, or None where the table has no row for it.

    Args:
        name: Our name, such as `encoder.layer1.0.bn1.weight`; a released checkpoint's leading `module.` is allowed.
        target: The library whose column is read.
    """
    for row in TABLE:
        match = re.fullmatch(row.ours, name.removeprefix("module."))
        if match:
            caught = match.groupdict()
            if "layer" in caught:
                caught["stage"] = str(int(caught["layer"]) + 1)
            if "entry" in caught:
                caught["level"] = str(int(caught["entry"]) + 2)
            template: str = getattr(row, target)
            return template.format_map(caught)
    return None
