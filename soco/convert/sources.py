"""Where pretrained weights come from, told by the content: ours, the release's, detectron2's, or a plain ResNet's."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soco.convert.names import translated
from soco.convert.safe_pickle import read_pickle
from soco.errors import UserError
from soco.models.release import load_weights
from soco.stores.tensors import DIGEST, refuse_damaged

# How torch's files open: as a zip, or, before torch 1.6, with a pickled number that marks them.
_TORCH = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


def load_source(path: Path) -> dict[str, Tensor]:
    """Read pretrained weights of any origin under our names; reading runs no code.

    Args:
        path: `weights.safetensors` of a run, one of its checkpoints, a released raw `.pth`, a released detectron2
            `.pkl`, which holds the online branch's encoder, neck and head alone, or a ResNet of torchvision or timm
            (`.pth` or `.safetensors`), whose classifier is named `classifier`.

    Returns:
        Tensors on the CPU by our name.

    Raises:
        UserError: The file is missing or damaged, holds no weights or unknown ones, or would run code.
    """
    if not _is_pickle(path):
        return _from_resnet(load_weights(path))
    model = read_detectron2(path)
    names = {theirs: translated(theirs, "detectron2", "ours") for theirs in model}
    unknown = sorted(theirs for theirs, ours in names.items() if ours is None)
    if unknown:
        raise UserError(
            f"{path} holds {len(unknown)} tensor(s) that soco/convert/names.py has no row for ({', '.join(unknown)}); "
            "add a row there, or give a detectron2 file that this workflow or the release wrote."
        )
    return {ours: torch.from_numpy(model[theirs]) for theirs, ours in names.items() if ours is not None}


def read_detectron2(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a detectron2 `.pkl` by name; nothing in it is run.

    Raises:
        UserError: The file is missing or damaged, or holds anything else.
    """
    content = read_pickle(path)
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or not model or not all(isinstance(value, np.ndarray) for value in model.values()):
        raise UserError(f"{path} holds no arrays under 'model'; give a file as detectron2's model zoo has them.")
    refuse_damaged(path, model, content.get(DIGEST))
    return model


def _from_resnet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A plain ResNet's tensors under our names; others as they are."""
    names = {theirs: _of_resnet(theirs) for theirs in state}
    if any(ours is None for ours in names.values()):
        return state
    found = {ours: state[theirs] for theirs, ours in names.items() if ours is not None}
    # Files from before PyTorch 0.4.1 do not count the batches that a norm has seen; nothing uses the count.
    variances = [name for name in found if name.endswith(".running_var")]
    counts = {name.replace("running_var", "num_batches_tracked"): torch.tensor(0) for name in variances}
    return counts | found


def _of_resnet(theirs: str) -> str | None:
    if theirs.startswith("fc."):
        return f"classifier.{theirs.removeprefix('fc.')}"
    return translated(theirs, "resnet", "ours")


def _is_pickle(path: Path) -> bool:
    """Whether the file is a pickle and none of torch's own."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(16)
    except OSError:
        return False  # the other reader says why
    return head.startswith((b"\x80", b"(", b"}")) and head[8:9] != b"{" and not head.startswith(_TORCH)
