"""Where pretrained weights come from, told by the content.

Ours, the release's, detectron2's, others'.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soco.data.stores.tensors import DIGEST, refuse_damaged
from soco.errors import UserError
from soco.pretrain.model.release import load_weights
from soco.transfer.convert.checkpoints import find_resnet, with_counts
from soco.transfer.convert.names import left_behind, renamed, translated
from soco.transfer.convert.safe_pickle import read_pickle
from soco.transfer.convert.state_dicts import some_of

# How torch's files open: as a zip, or, before torch 1.6, with a pickled number that marks them.
_TORCH = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


@dataclass(frozen=True)
class Source:
    """Pretrained weights as they were read.

    Attributes:
        state: Tensors on the CPU by our name.
        prefix: Where another library's checkpoint holds the ResNet that was taken, such as
            `encoder_q.`; None for a file of ours, the release's, detectron2's, or of a ResNet
            alone.
        others: Where that checkpoint holds other ResNets.
        left_out: That checkpoint's other tensors by their name there, each with the reason.
    """

    state: dict[str, Tensor]
    prefix: str | None = None
    others: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> str | None:
        """Which ResNet of a checkpoint was taken, in a sentence.

        None where there was no choice to make.
        """
        if self.prefix is None:
            return None
        taken = f"took the ResNet at {self.prefix.removesuffix('.') or 'the top'}"
        beside = (
            f", not that at {some_of([other.removesuffix('.') for other in self.others])}"
            if self.others
            else ""
        )
        return (
            f"{taken}{beside}, and left out {len(self.left_out)} other tensors"
            f" ({some_of(sorted(self.left_out))})"
        )


def load_source(path: Path) -> dict[str, Tensor]:
    """Read pretrained weights of any origin under our names; see `read_source`."""
    return read_source(path).state


def read_source(path: Path) -> Source:
    """Read pretrained weights of any origin under our names; reading runs no code.

    Args:
        path: `weights.safetensors` of a run, one of its checkpoints, a released raw `.pth`, a
            released detectron2 `.pkl`, which holds the online branch's encoder, neck and head
            alone, a ResNet of torchvision or timm (`.pth` or `.safetensors`), whose classifier is
            named `classifier`, or a checkpoint of another library that holds a ResNet.

    Raises:
        UserError: The file is missing or damaged, holds no weights or unknown ones, or would run
            code.
    """
    if not _is_pickle(path):
        return _from_tensors(path, load_weights(path))
    model = read_detectron2(path)
    names = {theirs: translated(theirs, "detectron2", "ours") for theirs in model}
    unknown = sorted(theirs for theirs, ours in names.items() if ours is None)
    if unknown:
        raise UserError(
            f"{path} holds {len(unknown)} tensor(s) that soco/transfer/convert/names.py has no row"
            f" for ({some_of(unknown)}); add a row there, or give a detectron2 file that this"
            " workflow or the release wrote."
        )
    return Source(
        {
            ours: torch.from_numpy(model[theirs])
            for theirs, ours in names.items()
            if ours is not None
        }
    )


def read_detectron2(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a detectron2 `.pkl` by name; nothing in it is run.

    Raises:
        UserError: The file is missing or damaged, or holds anything else.
    """
    content = read_pickle(path)
    model = content.get("model") if isinstance(content, dict) else None
    if (
        not isinstance(model, dict)
        or not model
        or not all(isinstance(value, np.ndarray) for value in model.values())
    ):
        raise UserError(
            f"{path} holds no arrays under 'model'; give a file as detectron2's model zoo has them."
        )
    refuse_damaged(path, model, content.get(DIGEST))
    return model


def _from_tensors(path: Path, state: dict[str, Tensor]) -> Source:
    names = {theirs: _of_resnet(theirs) for theirs in state}
    if all(names.values()):
        return Source(
            with_counts({ours: state[theirs] for theirs, ours in names.items() if ours is not None})
        )
    if _is_ours(state):
        return Source(state)
    found = find_resnet(path, state)
    tensors = {f"encoder.{name}": held for name, held in found.tensors.items()}
    return Source(tensors, found.prefix, found.others, found.left_out)


def _of_resnet(theirs: str) -> str | None:
    """Our name of a plain ResNet's tensor."""
    if theirs in ("fc.weight", "fc.bias"):
        return f"classifier.{theirs.removeprefix('fc.')}"
    return translated(theirs, "resnet", "ours")


def _is_ours(state: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of a pretraining's model.

    With an FPN of that name a few others may be among them.
    """
    if any(name.startswith("encoder.") for name in state) and any(
        name.startswith("neck.lateral_convs.") for name in state
    ):
        return True
    return all(left_behind(name, "fpn_head") or renamed(name) for name in state)


def _is_pickle(path: Path) -> bool:
    """Whether the file is a pickle and none of torch's own."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(16)
    except OSError:
        return False  # the other reader says why
    return (
        head.startswith((b"\x80", b"(", b"}")) and head[8:9] != b"{" and not head.startswith(_TORCH)
    )
