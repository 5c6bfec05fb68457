"""Report which of a detector's tensors were loaded from a converted file, by comparing values.

detectron2 warns about tensors that do not match and trains anyway; its "Total num" counts rows of a
printed table. Here each tensor of the model is compared with the file after loading.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from soco.errors import UserError
from soco.transfer.convert.sources import read_detectron2


def loading_report(model: torch.nn.Module, weights: Path | None) -> dict[str, Any]:
    """Compare the parameters and norm buffers of a loaded model with the file.

    Args:
        model: The detector, after its checkpointer loaded `weights`.
        weights: A file that `soco.transfer.convert` wrote; None for a detector from scratch.

    Returns:
        `taken` and `fresh` (each with `tensors` and `numbers`), the names of both, and the names in
        the file that no tensor of the model took.
    """
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    file = read_detectron2(weights) if weights else {}
    sources = {name: _source(name, file) for name in state}
    taken = [
        name
        for name, source in sources.items()
        if source is not None and _equal(state[name], file[source])
    ]
    fresh = [name for name in state if name not in set(taken)]
    return {
        "weights": str(weights) if weights else None,
        "taken": _count(state, taken),
        "fresh": _count(state, fresh),
        "fresh_names": fresh,
        "taken_names": taken,
        "unused_names": sorted(set(file) - {sources[name] for name in taken}),
    }


def check_all_used(report: Mapping[str, Any]) -> None:
    """Check that the detector took every tensor of the file.

    Raises:
        UserError: Some tensors do not fit, so that the file belongs to another detector.
    """
    unused = report["unused_names"]
    if unused:
        raise UserError(
            "detect.unused_weights",
            "{count} tensors of {path} do not fit into the detector, by name or shape (first:"
            " {first}); give weights of the backbone and sizes in the section `detector`.",
            count=len(unused),
            path=report["weights"],
            first=unused[0],
        )


def describe(report: Mapping[str, Any]) -> str:
    """The report in words, with the name of every fresh tensor and every unused one."""
    taken, fresh, unused = report["taken"], report["fresh"], report["unused_names"]
    if report["weights"] is None:
        return f"The detector is trained from scratch: all {fresh['tensors']} tensors are fresh."
    return (
        f"Loaded {taken['tensors']} of the detector's {taken['tensors'] + fresh['tensors']} tensors"
        f" ({taken['numbers']:,} numbers) from {report['weights']}; {fresh['tensors']}"
        f" ({fresh['numbers']:,} numbers) are fresh; {len(unused)} tensors of the file are unused."
        f"\nFresh: {', '.join(report['fresh_names']) or 'none'}."
        f"\nUnused: {', '.join(unused) or 'none'}."
    )


def _source(name: str, file: Iterable[str]) -> str | None:
    """The file's name that detectron2 matches: the longest suffix of the model's name."""
    matching = [theirs for theirs in file if name == theirs or name.endswith("." + theirs)]
    return max(matching, key=len, default=None)


def _equal(tensor: torch.Tensor, array: np.ndarray) -> bool:
    return tuple(tensor.shape) == np.shape(array) and bool(np.array_equal(tensor.numpy(), array))


def _count(state: Mapping[str, torch.Tensor], names: list[str]) -> dict[str, int]:
    return {"tensors": len(names), "numbers": sum(state[name].numel() for name in names)}
