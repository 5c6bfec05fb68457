"""Each conversion done again from the pretrained weights, and compared number by number."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from soco.jobs import Record
from soco.provenance.audit.checks import Check, check
from soco.provenance.audit.contents import differences
from soco.provenance.audit.reported import Reported, given, output
from soco.transfer.convert import convert_file, read_pickle

# Measured while it was made, on its machine; each is held to the conversion's own bound when it is
# made again.
_MEASURED = ("origin", "feature_differences")


def check_conversions(run: Reported, folder: Path) -> Iterator[Check]:
    """One check a converted file.

    Args:
        run: The run.
        folder: Receives what is made afresh.
    """
    for number, record in enumerate(run.of("convert_weights")):
        made = folder / f"converted-{number}"
        made.mkdir()
        name = "{pretrained}, {kind}".format(**record["wildcards"])
        yield check(f"conversion {name}", "made again", _again, record, made)


def _again(record: Record, folder: Path) -> tuple[list[str], str]:
    told, source = output(record, "weights"), given(record, "weights")
    assert source is not None
    weights, summary = folder / told.name, folder / "summary.json"
    convert_file(source, record["params"]["target"], weights, summary)
    ours, theirs = read_pickle(told)["model"], read_pickle(weights)["model"]
    faults = [f"{told}: {name}" for name in unequal(ours, theirs)]
    told_summary = output(record, "summary")
    faults += [
        f"{told_summary}: {fault}"
        for fault in differences(_summary(told_summary), _summary(summary))
    ]
    numbers = sum(value.size for value in theirs.values())
    return faults, f"{len(theirs)} tensors, {numbers:,} numbers, are equal to the bit."


def unequal(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> list[str]:
    """What differs between two sets of arrays by name, in words."""
    faults = [f"{name} is in one of the two alone" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name].dtype != theirs[name].dtype or not np.array_equal(
            ours[name], theirs[name], equal_nan=True
        ):
            faults.append(f"{name} holds other numbers than made again")
    return faults


def _summary(path: Path) -> dict[str, Any]:
    return {key: held for key, held in json.loads(path.read_text()).items() if key not in _MEASURED}
