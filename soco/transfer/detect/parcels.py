"""Records of small images as bytes, between a data loading worker and the training process.

torch sends each tensor of a worker as a file descriptor of shared memory. For small images that
takes longer than the image's augmentation, mostly in the process that trains.
"""

import io
import pickle
from typing import Any

import numpy as np
import torch
from torch import Tensor

Record = dict[str, Any]

# Larger images go through shared memory, where a copy would take longer than a descriptor.
_MOST_NUMBERS = 1 << 19


def packed(records: list[Record]) -> list[Record | bytes]:
    """Turn records with a small `image` into bytes; the others stay.

    Args:
        records: Records of detectron2, with `image` of (3, H, W).
    """
    return [_bytes(each) if each["image"].numel() <= _MOST_NUMBERS else each for each in records]


def unpacked(parcels: list[Record | bytes]) -> list[Record]:
    """The records that `packed` was given."""
    # Our own worker wrote the bytes, as it pickles all that torch sends.
    return [pickle.loads(each) if isinstance(each, bytes) else each for each in parcels]


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Tensors as arrays, whose bytes come with the rest."""
        return (_tensor, (value.numpy(),)) if isinstance(value, Tensor) else NotImplemented


def _bytes(record: Record) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(record)
    return stream.getvalue()


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)
