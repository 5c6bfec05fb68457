"""Read pretrained weights, the release's or ours, without running code."""

import argparse
import contextlib
import json
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from soco.data.stores.tensors import DIGEST, refuse_damaged
from soco.data.stores.torch_files import check_archive
from soco.errors import UserError
from soco.io import KEY

# How torch names a class or function that it refuses to use.
_REFUSED = re.compile(r"\bGLOBAL (\S+)")

# Keys of a checkpoint with these prefixes contain training state, not weights.
# They come from PyTorch Lightning, apex and common training scripts.
_OF_TRAINING = ("amp", "callbacks", "loops", "lr_sched", "optim", "scaler", "sched")


def load_released(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a raw checkpoint of the authors' release, or of a checkpoint of ours.

    A released checkpoint is a pickle of `opt` (an `argparse.Namespace`), `model`, `optimizer`,
    `scheduler` and `epoch`, in torch's zip format or the one before it. Only tensors, plain values
    and that one class are accepted, and no code is run.

    Args:
        path: The checkpoint: `.pth` by the release, `step-NNNNNNNN.pt` by ours.

    Returns:
        Tensors on the CPU under the release's names without `module.`: those of
        `SoCo.state_dict()`.

    Raises:
        UserError: The file is missing or damaged, has no weights, or would run code.
    """
    try:
        if zipfile.is_zipfile(path):  # torch's older format is not a zip and has no checksums
            check_archive(path)
        with _no_other_class(), torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _missing(path) from None
    except pickle.UnpicklingError as error:
        # A refused class, or no pickle at all, such as a download's error page saved as .pth.
        raise _unsafe(path, str(error)) from None
    except Exception as error:  # a damaged file fails in many ways
        raise _damaged(path, error) from None
    return _weights(path, content)


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read pretrained weights of any format, recognised by content rather than by file name.

    Args:
        path: `weights.safetensors` of a run, one of its checkpoints, or a released raw checkpoint.

    Returns:
        Tensors on the CPU under the release's names, as `SoCo.load_state_dict` takes them.

    Raises:
        UserError: As for `load_released`.
    """
    if not _is_safetensors(path):
        return load_released(path)
    try:
        with safe_open(path, "pt") as file:
            # Files by other programs have no metadata of ours, and then no digest to compare.
            metadata = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from None
    try:
        digest = json.loads(metadata).get(DIGEST) if metadata else None
    except ValueError as error:
        raise _damaged(path, error) from None
    refuse_damaged(path, tensors, digest)
    return tensors


def _is_safetensors(path: str | Path) -> bool:
    """Whether the file begins as safetensors do: 8 bytes of length, then a header in JSON."""
    try:
        with Path(path).open("rb") as file:
            return file.read(9)[8:] == b"{"
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise _damaged(path, error) from None


def _weights(path: str | Path, content: Any) -> dict[str, Tensor]:
    whole = content if isinstance(content, dict) else {}
    # `model` is the release's key and ours, `state_dict` MoCo's and PyTorch Lightning's; a file of
    # torchvision's is itself a state dict.
    candidates = (whole.get("model"), whole.get("state_dict"), whole)
    model = next(filter(_is_state_dict, candidates), None) or _nested(whole)
    if not model:
        raise UserError(
            "pretrain.no_weights",
            "{path} has no weights. Give a raw checkpoint of the authors' release, a checkpoint or"
            " weights.safetensors of a pretraining, or the state dict of a ResNet.",
            path=path,
        )
    # The release saved its DistributedDataParallel wrapper, which adds this prefix.
    return {name.removeprefix("module."): value for name, value in model.items()}


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    )


def _nested(content: dict[Any, Any]) -> dict[str, Tensor]:
    """The tensors of nested state dicts, such as DINO's `student` and `teacher`, by path.

    States of optimisers and the like are skipped. No dictionary is visited twice, since one may
    contain itself.
    """
    tensors: dict[str, Tensor] = {}
    visited, waiting = {id(content)}, [("", content)]
    while waiting:
        path, entries = waiting.pop()
        for key, value in entries.items():
            if not isinstance(key, str) or key.startswith(_OF_TRAINING):
                continue
            if isinstance(value, Tensor):
                tensors[f"{path}{key}"] = value
            elif isinstance(value, dict) and id(value) not in visited:
                visited.add(id(value))
                waiting.append((f"{path}{key}.", value))
    return tensors


@contextlib.contextmanager
def _no_other_class() -> Iterator[None]:
    """Suspend the permissions to load classes that other code in this process gave torch."""
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.add_safe_globals(allowed)


def _missing(path: str | Path) -> UserError:
    return UserError(
        "pretrain.weights_missing",
        "There is no file {path}. Give weights.safetensors, a checkpoint, or a released .pth.",
        path=path,
    )


def _damaged(path: str | Path, error: Exception) -> UserError:
    return UserError(
        "pretrain.weights_unreadable",
        "{path} cannot be read as weights ({reason}). Copy or download it again.",
        path=path,
        reason=str(error).strip().split("\n")[0].rstrip(".") or "it ends too early",
    )


def _unsafe(path: str | Path, message: str) -> UserError:
    match = _REFUSED.search(message)
    if match is None:
        return _damaged(path, pickle.UnpicklingError("not a file of torch, or a damaged one"))
    return UserError(
        "pretrain.unsafe_checkpoint",
        "{path} is refused: reading it would use {name}, but weights need only tensors, plain"
        " values and argparse.Namespace. None of its code was run. Give a file with only its"
        " state dict, from a source that you trust.",
        path=path,
        name=match[1],
    )
