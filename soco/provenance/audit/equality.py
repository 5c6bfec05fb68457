"""Compare the outputs of a repeated job with those of the run, by format.

Origins are ignored: they name the code, which may differ. `audit.files` compares them.
"""

import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from soco.data.stores.schema import RECT_COLUMNS, rects_of
from soco.environment import environment, same_machine
from soco.jobs import Record
from soco.provenance.audit.checks import Outcome
from soco.provenance.audit.detections import METRICS, OTHER_MACHINE, differing_metrics
from soco.provenance.changes import changes
from soco.transfer.convert import read_pickle

# Measured by the job on its machine; the job itself checks that they are small.
_MEASURED = ("origin", "feature_differences")
_SIDES = ("in the run", "in the repeated job")


def compared_outputs(record: Record, outputs: Mapping[str, Path]) -> Outcome:
    """Compare all outputs except those that contain times.

    Args:
        record: The job, as it was in the run.
        outputs: What the repeated job wrote, by the path in the run.
    """
    same = same_machine(record["environment"], environment())
    faults, compared = [], []
    for output in record["outputs"]:
        if not output["deterministic"]:
            continue
        stored, again = Path(output["path"]), outputs[output["path"]]
        compare = _COMPARE.get(stored.suffix, _bytes)
        output_faults, size = compare(stored, again, same)
        faults += [f"{stored}: {fault}" for fault in output_faults]
        compared.append(f"{output['name']}: {size}")
    equal = "Equal" if same else "Equal, as far as another machine allows"
    return faults, f"{equal}: {'; '.join(dict.fromkeys(compared))}."


def _tables(stored: Path, again: Path, _: bool) -> Outcome:
    ours, theirs = pq.read_table(stored), pq.read_table(again)
    has_boxes = set(RECT_COLUMNS) <= set(ours.column_names)
    counted = f"{sum(map(len, rects_of(ours))):,} boxes in " if has_boxes else ""
    size = f"{counted}{len(ours):,} rows"
    if ours.equals(theirs):
        return [], size
    # Every table's first column is the key.
    if ours.column_names != theirs.column_names or not ours[0].equals(theirs[0]):
        return [f"its {len(ours)} row(s) and the {len(theirs)} repeated are of other images"], size
    if has_boxes:
        rows = zip(ours["key"].to_pylist(), rects_of(ours), rects_of(theirs), strict=True)
        faults = [
            f"in {key}, box {_first_apart(one, two)}"
            for key, one, two in rows
            if not np.array_equal(one, two)
        ]
        if faults:
            return faults, size
    names = [name for name in ours.column_names if not ours[name].equals(theirs[name])]
    return [f"other values in {', '.join(names)}"], size


def _first_apart(stored: np.ndarray, again: np.ndarray) -> str:
    """The first box that differs, in words."""
    if len(stored) != len(again):
        return f"count is {len(stored)}, repeated {len(again)}"
    number = int(np.flatnonzero((stored != again).any(axis=1))[0])
    return f"{number} is {stored[number].tolist()}, repeated {again[number].tolist()}"


def _stores(stored: Path, again: Path, _: bool) -> Outcome:
    with pa.memory_map(str(stored)) as one, pa.memory_map(str(again)) as two:
        ours, theirs = (pa.ipc.open_file(file).read_all() for file in (one, two))
        faults = [] if ours.equals(theirs) else ["its proposals differ from those merged again"]
        return faults, f"{len(ours):,} rows"


def _pickles(stored: Path, again: Path, _: bool) -> Outcome:
    return _arrays(read_pickle(stored)["model"], read_pickle(again)["model"])


def _safetensors(stored: Path, again: Path, _: bool) -> Outcome:
    return _arrays(load_file(stored), load_file(again))


def _arrays(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> Outcome:
    faults = [f"{name} is in one of the two only" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        one, two = ours[name], theirs[name]
        # A NaN that is repeated is equal: whether weights are finite is checked elsewhere.
        if one.dtype != two.dtype or not np.array_equal(one, two, equal_nan=True):
            faults.append(f"{name} has other numbers")
    return (
        faults,
        f"{len(theirs)} tensors, {sum(value.size for value in theirs.values()):,} numbers",
    )


def _json(stored: Path, again: Path, same: bool) -> Outcome:
    """Exactly on the same machine; elsewhere AP may differ, and detections are not compared."""
    ours, theirs = (json.loads(path.read_text()) for path in (stored, again))
    if isinstance(ours, list):
        if ours == theirs or not same:
            return [], f"{len(ours)} entries" if same else "not compared"
        return [f"{len(ours)} entries differ from the {len(theirs)} repeated"], ""
    left_out, faults = {*_MEASURED}, []
    if not same and ours.keys() >= {*METRICS}:
        left_out, faults = left_out | {*METRICS}, differing_metrics(ours, theirs, OTHER_MACHINE)
    ours, theirs = (
        {key: value for key, value in content.items() if key not in left_out}
        for content in (ours, theirs)
    )
    faults += [change.sentence(*_SIDES) for change in islice(changes(ours, theirs), 100)]
    return faults, "all values"


def _bytes(stored: Path, again: Path, _: bool) -> Outcome:
    faults = [] if stored.read_bytes() == again.read_bytes() else ["other bytes"]
    return faults, f"{stored.stat().st_size:,} bytes"


_COMPARE: dict[str, Callable[[Path, Path, bool], Outcome]] = {
    ".parquet": _tables,
    ".arrow": _stores,
    ".pkl": _pickles,
    ".safetensors": _safetensors,
    ".json": _json,
}
