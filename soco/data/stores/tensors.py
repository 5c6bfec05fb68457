"""A checksum over named tensors, for files of weights whose format has none."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soco.errors import UserError

DIGEST = "tensors_sha256"
"""The name that files have for it: a key of a pickle's dictionary, or of safetensors' metadata."""


def tensors_digest(tensors: Mapping[str, Tensor | np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and numbers, in hex digits.

    The order of the names does not matter.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = torch.as_tensor(tensors[name]).detach().cpu()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def refuse_damaged(
    path: str | Path, tensors: Mapping[str, Tensor | np.ndarray], written: str | None
) -> None:
    """Refuse a file whose tensors are not those that were written to it.

    Args:
        path: The file.
        tensors: What was read from it.
        written: The digest that the file says; None, as in files of others and of earlier versions,
            passes.

    Raises:
        UserError: The digest is another.
    """
    if written is not None and written != tensors_digest(tensors):
        raise UserError(
            f"{path} is damaged (the checksum of its tensors is wrong); remove it and run the stage"
            " that makes it, or copy it again."
        )
