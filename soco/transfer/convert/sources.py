"""Read pretrained weights of any origin: ours, the release's, detectron2's, another library's.

The format is recognised by the content, not by the file's name.
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
from soco.transfer.convert.find_resnet import find_resnet, with_batch_counts
from soco.transfer.convert.names import left_behind, renamed, translated
from soco.transfer.convert.safe_pickle import read_pickle
from soco.transfer.convert.state_dicts import first_names

# The first bytes of torch's files: a zip, or, before torch 1.6, a pickled magic number.
_TORCH = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


@dataclass(frozen=True)
class Source:
    """Pretrained weights as they were read.

    Attributes:
        state: Tensors on the CPU by our name.
        prefix: The prefix of the chosen ResNet in another library's checkpoint, such as
            `encoder_q.`; None for a file of ours, the release's, detectron2's, or a plain ResNet.
        others: The prefixes of other ResNets in that checkpoint.
        left_out: Other tensors of that checkpoint by their name there, each with the reason.
    """

    state: dict[str, Tensor]
    prefix: str | None = None
    others: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def choice(self) -> str | None:
        """Which ResNet of a checkpoint was chosen, in words; None if there was no choice."""
        if self.prefix is None:
            return None
        instead = ""
        if self.others:
            others = first_names([other.removesuffix(".") for other in self.others])
            instead = f" instead of the one at {others}"
        return (
            f"took the ResNet at {self.prefix.removesuffix('.') or 'the top level'}{instead}, and"
            f" left out {len(self.left_out)} other tensors ({first_names(sorted(self.left_out))})"
        )


def load_source(path: Path) -> dict[str, Tensor]:
    """Read pretrained weights of any origin under our names; see `read_source`."""
    return read_source(path).state


def read_source(path: Path) -> Source:
    """Read pretrained weights of any origin under our names; reading runs no code.

    Args:
        path: A run's `weights.safetensors` or checkpoint, a released raw `.pth` or detectron2
            `.pkl` (online encoder, neck and head only), a ResNet of torchvision or timm (its
            classifier becomes `classifier`), or another library's checkpoint with a ResNet.

    Raises:
        UserError: The file is missing or damaged, has no weights or unknown ones, or would run
            code.
    """
    if not _is_pickle(path):
        return _from_tensors(path, load_weights(path))
    model = read_detectron2(path)
    names = {theirs: translated(theirs, "detectron2", "ours") for theirs in model}
    unknown = sorted(theirs for theirs, ours in names.items() if ours is None)
    if unknown:
        raise UserError(
            "convert.unknown_detectron2_names",
            "{path} has {count} tensors that soco/transfer/convert/names.py has no row for"
            " ({names}); add a row there, or give a detectron2 file that this workflow or the"
            " release wrote.",
            path=path,
            count=len(unknown),
            names=first_names(unknown),
        )
    return Source(
        {
            ours: torch.from_numpy(model[theirs])
            for theirs, ours in names.items()
            if ours is not None
        }
    )


def read_detectron2(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a detectron2 `.pkl` by name; reading runs no code.

    Raises:
        UserError: The file is missing or damaged, or has no arrays under `model`.
    """
    content = read_pickle(path)
    model = content.get("model") if isinstance(content, dict) else None
    if (
        not isinstance(model, dict)
        or not model
        or not all(isinstance(value, np.ndarray) for value in model.values())
    ):
        raise UserError(
            "convert.no_arrays",
            "{path} has no arrays under 'model'; give a file in the format of detectron2's model"
            " zoo.",
            path=path,
        )
    refuse_damaged(path, model, content.get(DIGEST))
    return model


def _from_tensors(path: Path, state: dict[str, Tensor]) -> Source:
    names = {theirs: _of_resnet(theirs) for theirs in state}
    # A plain ResNet first: its names need no prefix, and `_is_ours` does not know them.
    if all(names.values()):
        return Source(
            with_batch_counts(
                {ours: state[theirs] for theirs, ours in names.items() if ours is not None}
            )
        )
    if _is_ours(state):
        return Source(state)
    resnet = find_resnet(path, state)
    tensors = {f"encoder.{name}": value for name, value in resnet.tensors.items()}
    return Source(tensors, resnet.prefix, resnet.others, resnet.left_out)


def _of_resnet(theirs: str) -> str | None:
    """Our name for a plain ResNet's tensor; None for any other tensor."""
    if theirs in ("fc.weight", "fc.bias"):
        return f"classifier.{theirs.removeprefix('fc.')}"
    return translated(theirs, "resnet", "ours")


def _is_ours(state: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of our pretraining; with our FPN, a few others are allowed."""
    if any(name.startswith("encoder.") for name in state) and any(
        name.startswith("neck.lateral_convs.") for name in state
    ):
        return True
    return all(left_behind(name, "fpn_head") or renamed(name) for name in state)


def _is_pickle(path: Path) -> bool:
    """Whether the file is a pickle, but not in one of torch's formats."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(16)
    except OSError:
        return False  # `load_weights` reports the reason
    return (
        # The first opcode of a pickle: a protocol, or a dictionary in protocols 0 and 1.
        # safetensors begins with a length of 8 bytes, which may look like it, and then `{`.
        head.startswith((b"\x80", b"(", b"}")) and head[8:9] != b"{" and not head.startswith(_TORCH)
    )
