"""Rename pretrained weights for detectron2, and write the one file that its format wants as a pickle."""

import pickle
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from soco.convert.names import KINDS, Kind, left_behind, part_of, renamed
from soco.errors import UserError
from soco.stores.files import whole_file, write_json

Array: TypeAlias = torch.Tensor | np.ndarray


def convert_to_detectron2(state: Mapping[str, Array], kind: Kind) -> dict[str, np.ndarray]:
    """Give each tensor that detectron2's model holds the name that it has there.

    Args:
        state: Pretrained tensors by our name, of any shape; a released checkpoint's `module.` is allowed.
        kind: `fpn_head` carries ResNet, FPN and box head; `c4` the ResNet alone.

    Returns:
        Arrays by detectron2's name without its prefix (`res2.0.conv1.weight`), shapes unchanged, reals in float32.

    Raises:
        UserError: A name is unknown, or a part that the kind carries is absent.
    """
    carried = {name: renamed(name) for name in state if left_behind(name, kind) is None}
    unknown = sorted(name for name, theirs in carried.items() if theirs is None)
    if unknown:
        raise UserError(
            f"The pretrained weights hold {len(unknown)} tensor(s) that soco/convert/names.py has no row for "
            f"({', '.join(unknown)}); add a row there, or convert weights that this workflow or the release wrote."
        )
    absent = [part for part in KINDS[kind] if part not in {part_of(name) for name in carried}]
    if absent:
        raise UserError(
            f"The pretrained weights hold no {' and no '.join(absent)}, which a detectron2_{kind} file carries; "
            f"convert a run whose architecture is fpn, or ask for detectron2_c4."
        )
    return {theirs: _array(state[name]) for name, theirs in carried.items() if theirs is not None}


def write_detectron2(path: Path, state: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a file that detectron2's checkpointer reads; it matches names by their longest suffix."""
    content = {"model": dict(state), "__author__": "soco-pretraining", "matching_heuristics": True}
    with whole_file(path) as temporary, temporary.open("wb") as file:
        pickle.dump(content, file)


def convert_run(weights: Path, kind: Kind, output: Path, summary: Path) -> None:
    """Convert one pretraining's weights and tell what was carried over and what was left.

    Args:
        weights: The pretraining's safetensors file.
        kind: What the converted file carries, see `convert_to_detectron2`.
        output: Receives the file for detectron2.
        summary: Receives a JSON file: counts, names, and each tensor left behind with its reason.

    Raises:
        UserError: The file cannot be read, holds unknown names, or lacks a part.
    """
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{weights} cannot be read ({error}); run the pretraining that writes it again.") from None
    converted = convert_to_detectron2(state, kind)
    write_detectron2(output, converted)
    told = _summary(state, kind)
    write_json(summary, told)
    print(f"Converted {told['converted']} tensors of {weights} ({told['numbers']:,} numbers) to {output}.")
    for reason, count in told["left_behind_by_reason"].items():
        print(f"Left {count} tensors behind: {reason}.")


def _array(value: Array) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = (value.float() if value.is_floating_point() else value).detach().cpu().numpy()
    return value.astype(np.float32, copy=False) if np.issubdtype(value.dtype, np.floating) else value


def _summary(state: Mapping[str, Array], kind: Kind) -> dict[str, Any]:
    reasons = {name: left_behind(name, kind) for name in state}
    left = {name: reason for name, reason in reasons.items() if reason is not None}
    names = {name: renamed(name) for name in state if name not in left}
    return {
        "kind": kind,
        "converted": len(names),
        "numbers": sum(int(np.prod(state[name].shape)) for name in names),
        "left_behind_by_reason": dict(Counter(left.values())),
        "names": names,
        "left_behind": left,
    }
