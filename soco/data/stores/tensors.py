"""A checksum of named tensors, for files of weights whose format has none."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soco.errors import UserError

DIGEST = "tensors_sha256"
"""Its key in a pickle's dictionary, or in safetensors' metadata."""


def tensors_digest(tensors: Mapping[str, Tensor | np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and values, in hex digits, in any order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = torch.as_tensor(tensors[name]).detach().cpu()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # As bytes, since NumPy has no bfloat16; flattened, since a scalar has no such view.
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def refuse_damaged(
    path: str | Path, tensors: Mapping[str, Tensor | np.ndarray], written: str | None
) -> None:
    """Refuse a file whose tensors are not those that were written.

    Args:
        path: The file.
        tensors: What was read from it.
        written: The digest in the file. None is accepted: other tools and earlier versions write
            none.

    Raises:
        UserError: The digest differs.
    """
    if written is not None and written != tensors_digest(tensors):
        raise UserError(
            "data.tensors_damaged",
            "{path} is damaged (the checksum of its tensors is wrong); remove it and run the stage"
            " that makes it, or copy it again.",
            path=path,
        )
