"""Write the files that libraries read weights from."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from soco.data.stores.tensors import DIGEST, tensors_digest
from soco.data.stores.torch_files import write_archive
from soco.io import KEY, Origin, origin_inside


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], origin: Origin | None = None
) -> None:
    """Write a safetensors file, for every library that does not need another format."""
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    metadata = {DIGEST: tensors_digest(contiguous), **origin_inside(origin)}
    # One key: safetensors writes several in another order each time, which changes the bytes.
    save_file(contiguous, path, metadata={KEY: json.dumps(metadata, sort_keys=True)})


def write_detectron2(
    path: Path, tensors: Mapping[str, Tensor | np.ndarray], origin: Origin | None = None
) -> None:
    """Write a pickle of arrays as detectron2's checkpointer reads it."""
    model = {name: np.asarray(value) for name, value in tensors.items()}
    content = {
        "model": model,
        "__author__": "soco-pretraining",
        "matching_heuristics": True,  # detectron2 then matches names by their longest suffix
        DIGEST: tensors_digest(model),
        **origin_inside(origin),
    }
    with path.open("wb") as file:
        pickle.dump(content, file)


def write_mmdetection(
    path: Path, tensors: Mapping[str, Tensor], origin: Origin | None = None
) -> None:
    """Write a torch file as mmdetection's `load_from` and `Pretrained` read it."""
    write_archive(path, {"state_dict": dict(tensors), "meta": origin_inside(origin)})
