"""Pretrained weights of any origin, read without running code.

A released raw checkpoint, or a file of ours.
"""

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

from soco.data.stores.archives import check_archive
from soco.data.stores.tensors import DIGEST, refuse_damaged
from soco.errors import UserError
from soco.io import KEY

# What torch says of a class or function that it refuses to touch.
_REFUSED = re.compile(r"\bGLOBAL (\S+)")

# What the keys of a checkpoint begin with that hold no weights, but may hold tensors.
_OF_TRAINING = ("amp", "callbacks", "loops", "lr_sched", "optim", "scaler", "sched")


def load_released(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a raw checkpoint that the authors' release wrote, or of a checkpoint of
    ours.

    A released one is a pickle of `opt` (an `argparse.Namespace`), `model`, `optimizer`, `scheduler`
    and `epoch`, in torch's zip format or the one before it. Tensors, plain values and that one
    class are all that it may hold.

    Args:
        path: The checkpoint; `.pth` by the release, `step-NNNNNNNN.pt` by ours.

    Returns:
        Tensors on the CPU by the release's names without `module.`: those of `SoCo.state_dict()`.

    Raises:
        UserError: The file is missing or broken, holds no weights, or holds what would run code;
            nothing is run.
    """
    try:
        if zipfile.is_zipfile(path):  # torch's older format is none, and has no checksums
            check_archive(path)
        with _nothing_else_allowed(), torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _missing(path) from None
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from None
    except Exception as error:  # a damaged file fails in many ways
        raise _broken(path, error) from None
    return _weights(path, content)


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read pretrained weights, whatever wrote them: decided by what the file holds, not by its
    name.

    Args:
        path: `weights.safetensors` of a run, one of its checkpoints, or a released raw checkpoint.

    Returns:
        Tensors on the CPU by the release's names, as `SoCo.load_state_dict` takes them.

    Raises:
        UserError: As `load_released`.
    """
    if not _is_safetensors(path):
        return load_released(path)
    try:
        with safe_open(path, "pt") as file:
            said = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _broken(path, error) from None
    try:
        written = json.loads(said).get(DIGEST) if said else None
    except ValueError as error:
        raise _broken(path, error) from None
    refuse_damaged(path, tensors, written)
    return tensors


def _is_safetensors(path: str | Path) -> bool:
    """Whether the file opens as safetensors do.

    The length of a header in 8 bytes, then the header, in JSON.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(9)[8:] == b"{"
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise _broken(path, error) from None


def _weights(path: str | Path, content: Any) -> dict[str, Tensor]:
    held = content if isinstance(content, dict) else {}
    model = next(
        filter(_is_state_dict, (held.get("model"), held.get("state_dict"), held)), None
    ) or _nested(held)
    if not model:
        raise UserError(
            f"{path} holds no weights; give a raw checkpoint of the authors' release, a checkpoint"
            " or weights.safetensors of a pretraining, or a ResNet's state dict."
        )
    return {name.removeprefix("module."): value for name, value in model.items()}


def _is_state_dict(held: Any) -> bool:
    weights = isinstance(held, dict) and all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in held.items()
    )
    return weights and bool(held)


def _nested(content: dict[Any, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint of several state dicts, such as DINO's `student` and `teacher`,
    by their path.

    What an optimizer and its like keep is passed over. No dictionary is entered twice: one may hold
    itself.
    """
    found: dict[str, Tensor] = {}
    entered, waiting = {id(content)}, [("", content)]
    while waiting:
        path, held = waiting.pop()
        for key, value in held.items():
            if not isinstance(key, str) or key.startswith(_OF_TRAINING):
                continue
            if isinstance(value, Tensor):
                found[f"{path}{key}"] = value
            elif isinstance(value, dict) and id(value) not in entered:
                entered.add(id(value))
                waiting.append((f"{path}{key}.", value))
    return found


@contextlib.contextmanager
def _nothing_else_allowed() -> Iterator[None]:
    """Set aside what other code of this process has allowed torch to load."""
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.add_safe_globals(allowed)


def _missing(path: str | Path) -> UserError:
    return UserError(
        f"There is no file {path}; give weights.safetensors, a checkpoint, or a released .pth."
    )


def _broken(path: str | Path, error: Exception) -> UserError:
    reason = str(error).strip().split("\n")[0].rstrip(".") or "it ends too soon"
    return UserError(f"{path} cannot be read as weights ({reason}); copy or download it again.")


def _refusal(path: str | Path, message: str) -> UserError:
    match = _REFUSED.search(message)
    if match is None:
        return _broken(path, pickle.UnpicklingError("it is no file of torch, or a damaged one"))
    return UserError(
        f"{path} is refused: reading it would use {match[1]}, and weights need no more than"
        " tensors, plain values and argparse.Namespace; nothing of it was run: give a file of its"
        " state dict alone, from a source that you trust."
    )
