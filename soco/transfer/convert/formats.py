"""The files that libraries read weights from."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from soco.data.stores.archives import write_archive
from soco.data.stores.tensors import DIGEST, tensors_digest
from soco.io import KEY, origin_inside


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file, for every library that does not demand another."""
    held = {name: value.contiguous() for name, value in tensors.items()}
    said = {DIGEST: tensors_digest(held), **origin_inside()}
    # Under one key: safetensors writes several in another order each time.
    save_file(held, path, metadata={KEY: json.dumps(said, sort_keys=True)})


def write_detectron2(path: Path, tensors: Mapping[str, Tensor | np.ndarray]) -> None:
    """Write a pickle of arrays as detectron2's checkpointer reads it.

    It matches names by their longest suffix.
    """
    model = {name: np.asarray(value) for name, value in tensors.items()}
    with path.open("wb") as file:
        said = {
            "__author__": "soco-pretraining",
            "matching_heuristics": True,
            DIGEST: tensors_digest(model),
        }
        held = {"model": model, **said, **origin_inside()}
        pickle.dump(held, file)


def write_mmdetection(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a torch file as mmdetection's `load_from` and `Pretrained` read it."""
    write_archive(path, {"state_dict": dict(tensors), "meta": origin_inside()})
