"""Which of a detector's tensors took their value from a converted file, found by comparing values.

detectron2 warns of what did not match and trains on; its "Total num" counts rows of a printed
table. Here each tensor of the model is held against the file after loading.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from soco.errors import UserError
from soco.transfer.convert.sources import read_detectron2


def loading_report(model: torch.nn.Module, weights: Path | None) -> dict[str, Any]:
    """Count the parameters and norm buffers of a loaded model that hold the value that the file has
    for them.

    Args:
        model: The detector, after its checkpointer loaded `weights`.
        weights: A file that `soco.transfer.convert` wrote; None when the detector starts from
            scratch.

    Returns:
        `taken`, `fresh` (each `tensors`, `numbers`), the names of both, and the file's names that
        the model has no place for.
    """
    held = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    file = read_detectron2(weights) if weights else {}
    sources = {name: _source(name, file) for name in held}
    taken = [
        name
        for name, source in sources.items()
        if source is not None and _equal(held[name], file[source])
    ]
    fresh = [name for name in held if name not in set(taken)]
    return {
        "weights": str(weights) if weights else None,
        "taken": _count(held, taken),
        "fresh": _count(held, fresh),
        "fresh_names": fresh,
        "taken_names": taken,
        "unused_names": sorted(set(file) - {sources[name] for name in taken}),
    }


def refuse_misfits(report: Mapping[str, Any]) -> None:
    """Refuse a file of which the detector could not take everything: it is of another detector.

    Raises:
        UserError: Tensors of the file have no place in the detector, or another shape there.
    """
    unused = report["unused_names"]
    if unused:
        raise UserError(
            f"{len(unused)} tensor(s) of {report['weights']} have no place in the detector, or"
            f" another shape there (the first is {unused[0]}); give weights of the same backbone"
            " and sizes as the section `detector` has."
        )


def describe(report: Mapping[str, Any]) -> str:
    """The report in words, with the name of every tensor that took no value or found no place."""
    if report["weights"] is None:
        return (
            f"The detector starts from scratch: all its {report['fresh']['tensors']} tensors are"
            " fresh."
        )
    return (
        f"{report['taken']['tensors']} of the detector's"
        f" {report['taken']['tensors'] + report['fresh']['tensors']} tensors"
        f" ({report['taken']['numbers']:,} numbers) took their value from {report['weights']};"
        f" {report['fresh']['tensors']} ({report['fresh']['numbers']:,} numbers) are fresh;"
        f" {len(report['unused_names'])} of the file's tensors found no place.\nFresh:"
        f" {', '.join(report['fresh_names']) or 'none'}.\nWithout a place:"
        f" {', '.join(report['unused_names']) or 'none'}."
    )


def _source(name: str, file: Iterable[str]) -> str | None:
    """The file's name that detectron2 matches: the longest that the model's name ends in."""
    matching = [theirs for theirs in file if name == theirs or name.endswith("." + theirs)]
    return max(matching, key=len, default=None)


def _equal(held: torch.Tensor, array: np.ndarray) -> bool:
    return tuple(held.shape) == np.shape(array) and bool(np.array_equal(held.numpy(), array))


def _count(held: Mapping[str, torch.Tensor], names: list[str]) -> dict[str, int]:
    return {"tensors": len(names), "numbers": sum(held[name].numel() for name in names)}
