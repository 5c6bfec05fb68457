"""One table of tensor names: in our pretrained weights, and in each library that fine-tunes them.

A row covers a whole family of tensors. Every column is a template, so that names are translated in
both directions. A field in braces is a number, with the offset of another library's counting:

* `{layer}` of the ResNet, which detectors count as `{layer+1}`: `layer1` is stage 2, at stride 4;
  `{block}` is a block of it;
* `{entry}` of the neck; the first, 0, is pyramid level 2, `{entry+2}`;
* `{n}`, counted from 1: a convolution and its norm, or a fully connected layer. Libraries that
  count from 0 have `{n-1}`; torchvision counts the box head's `{convs}` convolutions and a
  flattening before the first fully connected layer.

`{leaf}` is a tensor of a layer, `{norm}` a tensor of a norm.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

Column = Literal["ours", "detectron2", "mmdetection", "torchvision", "resnet"]
Kind = Literal["fpn_head", "c4"]

KINDS: dict[Kind, tuple[str, ...]] = {"fpn_head": ("encoder", "neck", "head"), "c4": ("encoder",)}
"""The parts of the model in each kind of converted file."""


@dataclass(frozen=True)
class Row:
    """A family of tensors.

    Attributes:
        ours: Our name, which is the release's without its `module.`.
        detectron2: detectron2's name, without the prefixes that its checkpointer adds.
        mmdetection: The name in mmdetection's two-stage detectors.
        torchvision: The name in torchvision's Mask R-CNN.
        resnet: The name in a plain ResNet of torchvision or timm; None for what it lacks.
    """

    ours: str
    detectron2: str
    mmdetection: str
    torchvision: str
    resnet: str | None = None


def _resnet(name: str, detectron2: str) -> Row:
    """A row of the ResNet; only detectron2 does not use torchvision's names."""
    return Row(f"encoder.{name}", detectron2, f"backbone.{name}", f"backbone.body.{name}", name)


def _neck(name: str, detectron2: str, torchvision: str) -> Row:
    """A row of the FPN; mmdetection and the release use the same names."""
    return Row(f"neck.{name}", detectron2, f"neck.{name}", f"backbone.fpn.{torchvision}")


def _head(name: str, detectron2: str, mmdetection: str, torchvision: str) -> Row:
    """A row of the box head."""
    box_head = f"roi_heads.box_head.{torchvision}"
    return Row(
        f"head.{name}", f"box_head.{detectron2}", f"roi_head.bbox_head.{mmdetection}", box_head
    )


_BLOCK, _STAGE = "layer{layer}.{block}", "res{layer+1}.{block}"

TABLE = (
    _resnet("conv1.{leaf}", "stem.conv1.{leaf}"),
    _resnet("bn1.{norm}", "stem.conv1.norm.{norm}"),
    _resnet(_BLOCK + ".conv{n}.{leaf}", _STAGE + ".conv{n}.{leaf}"),
    _resnet(_BLOCK + ".bn{n}.{norm}", _STAGE + ".conv{n}.norm.{norm}"),
    _resnet(_BLOCK + ".downsample.0.{leaf}", _STAGE + ".shortcut.{leaf}"),
    _resnet(_BLOCK + ".downsample.1.{norm}", _STAGE + ".shortcut.norm.{norm}"),
    _neck(
        "lateral_convs.{entry}.conv.{leaf}",
        "fpn_lateral{entry+2}.{leaf}",
        "inner_blocks.{entry}.0.{leaf}",
    ),
    _neck(
        "lateral_convs.{entry}.bn.{norm}",
        "fpn_lateral{entry+2}.norm.{norm}",
        "inner_blocks.{entry}.1.{norm}",
    ),
    _neck(
        "fpn_convs.{entry}.conv.{leaf}",
        "fpn_output{entry+2}.{leaf}",
        "layer_blocks.{entry}.0.{leaf}",
    ),
    _neck(
        "fpn_convs.{entry}.bn.{norm}",
        "fpn_output{entry+2}.norm.{norm}",
        "layer_blocks.{entry}.1.{norm}",
    ),
    _head("conv{n}.{leaf}", "conv{n}.{leaf}", "shared_convs.{n-1}.conv.{leaf}", "{n-1}.0.{leaf}"),
    _head("bn{n}.{norm}", "conv{n}.norm.{norm}", "shared_convs.{n-1}.bn.{norm}", "{n-1}.1.{norm}"),
    _head("fc{n}.{leaf}", "fc{n}.{leaf}", "shared_fcs.{n-1}.{leaf}", "{n+convs}.{leaf}"),
)

_NOT_CARRIED = {
    "classifier": "a detector has no use for the classifier of whole images",
    "projector": "only the pretraining loss uses the projector",
    "predictor": "only the pretraining loss uses the predictor",
    **dict.fromkeys(
        ("encoder_k", "neck_k", "head_k", "projector_k"),
        "the target branch is a slow copy of the online branch",
    ),
}

_FIELD = re.compile(r"\{(?P<name>\w+)(?:(?P<sign>[+-])(?P<shift>\w+))?\}")
_WORDS = {"leaf": "weight|bias", "norm": "weight|bias|running_mean|running_var|num_batches_tracked"}


def part_of(name: str) -> str:
    """The model part that a tensor belongs to: its name's first component after `module.`."""
    return name.removeprefix("module.").split(".", 1)[0]


def left_behind(name: str, kind: Kind) -> str | None:
    """Why a converted file of this kind omits the tensor; None if it is converted or unknown."""
    part = part_of(name)
    if part in KINDS["fpn_head"] and part not in KINDS[kind]:
        return "this target takes the ResNet only" if kind == "c4" else None
    return _NOT_CARRIED.get(part)


def renamed(name: str, target: Column = "detectron2", convs: int = 4) -> str | None:
    """The tensor's name in the target library; None if the table has no name for it.

    Args:
        name: Our name, such as `encoder.layer1.0.bn1.weight`; a released checkpoint's leading
            `module.` is allowed.
        target: The library.
        convs: Number of convolutions in the box head.
    """
    return translated(name.removeprefix("module."), "ours", target, convs)


def translated(name: str, source: Column, target: Column, convs: int = 4) -> str | None:
    """Translate a tensor's name from one column of the table to another; None if it has no row.

    Args:
        name: The name in the column `source`.
        source: The library that the name comes from.
        target: The library whose name is wanted.
        convs: Number of convolutions in the box head.
    """
    for row in TABLE:
        given, wanted = getattr(row, source), getattr(row, target)
        match = re.fullmatch(_pattern(given), name) if given and wanted else None
        if match:
            return _fill(wanted, _fields(given, match.groups(), convs), convs)
    return None


@cache
def _pattern(template: str) -> str:
    """A regular expression whose groups are the template's fields, in their order."""
    # split() also returns the three groups of each field, between one text and the next.
    texts = _FIELD.split(template)[::4]
    fields = [field["name"] for field in _FIELD.finditer(template)]
    groups = [f"({_WORDS.get(field, '[0-9]+')})" for field in fields] + [""]
    return "".join(re.escape(text) + group for text, group in zip(texts, groups, strict=True))


def _fields(template: str, caught: tuple[str, ...], convs: int) -> dict[str, str]:
    """The values of a template's fields, given the text that matched each."""
    fields = {}
    for field, text in zip(_FIELD.finditer(template), caught, strict=True):
        shift = _shift(field, convs)
        fields[field["name"]] = str(int(text) - shift) if shift else text
    return fields


def _fill(template: str, fields: dict[str, str], convs: int) -> str:
    def value(field: re.Match[str]) -> str:
        shift, text = _shift(field, convs), fields[field["name"]]
        return str(int(text) + shift) if shift else text

    return _FIELD.sub(value, template)


def _shift(field: re.Match[str], convs: int) -> int:
    """The offset in a field, such as -1 in `{n-1}`."""
    if field["shift"] is None:
        return 0
    size = convs if field["shift"] == "convs" else int(field["shift"])
    return -size if field["sign"] == "-" else size
