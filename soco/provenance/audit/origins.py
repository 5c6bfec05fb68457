"""The origin inside each file, against the record of the job that is said to have made it.

A file that was swapped for another run's gives itself away here, also where all hashes were made to
fit.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import safetensors
import torch

from soco.io import KEY
from soco.jobs import Record, described
from soco.provenance.audit.checks import Check, check
from soco.provenance.audit.reported import Reported
from soco.transfer.convert import read_pickle

Origin = dict[str, Any]

# Files that cannot hold one: lists, lines, pages; and annotations, which are used as their author
# wrote them.
_WITHOUT = {
    "demo_data": ("images", "train", "val", "coco_train", "coco_val", "lvis_train", "lvis_val", "classes_train",
                  "classes_val", "sources"),
    "check_dataset": ("train", "val"),
    "pretrain_model": ("log",),
    "finetune_detector": ("history", "curve"),
    "evaluate_detector": ("detections",),
}  # fmt: skip


def check_origins(run: Reported) -> Iterator[Check]:
    """The files of each rule."""
    rules: dict[str, list[Record]] = {}
    for record in run.records:
        if record is not None:
            rules.setdefault(record["rule"], []).append(record)
    for rule, records in rules.items():
        if any(
            output["name"] not in _WITHOUT.get(rule, ())
            for record in records
            for output in record["outputs"]
        ):
            yield check(f"origin in files of {rule}", "their job's record", _of_rule, records)


def read_origin(path: Path) -> Origin | None:
    """The origin that a file carries; None where it has none, or can have none."""
    read = _READERS.get(path.suffix)
    return read(path) if read else None


def _of_rule(records: list[Record]) -> tuple[list[str], str]:
    faults, count = [], 0
    for record in records:
        expected = described(record, record["environment"])
        for output in record["outputs"]:
            if output["name"] not in _WITHOUT.get(record["rule"], ()):
                count += 1
                faults += _faults(Path(output["path"]), expected)
    return faults, f"{count} file(s) name the job that made them."


def _faults(path: Path, expected: Origin) -> list[str]:
    try:
        origin = read_origin(path)
    except Exception as error:  # a damaged file fails in many ways
        return [f"{path} cannot be read ({type(error).__name__})"]
    if not origin or "rule" not in origin:
        return [f"{path} carries no origin"]
    # A shard's tells its rule alone, see `metadata_inside`.
    wrong = [
        key
        for key in dict.fromkeys([*expected, *origin])
        if key in origin and expected.get(key) != origin[key]
    ]
    return [
        f"{path} says {key} {_short(origin[key])}, its job {_short(expected.get(key))}"
        for key in wrong[:1]
    ]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 90 else f"{text[:90]}…"


def _in_metadata(metadata: dict[bytes, bytes] | None) -> Origin | None:
    text = (metadata or {}).get(KEY.encode())
    return json.loads(text)["origin"] if text else None


def _of_arrow(path: Path) -> Origin | None:
    with pa.memory_map(str(path)) as mapped:
        return _in_metadata(pa.ipc.open_file(mapped).schema.metadata)


def _of_safetensors(path: Path) -> Origin | None:
    with safetensors.safe_open(path, "np") as file:
        return json.loads((file.metadata() or {}).get(KEY, "{}")).get("origin")


def _of_torch(path: Path) -> Origin | None:
    held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return held.get("origin") or held.get("meta", {}).get("origin")


_READERS: dict[str, Callable[[Path], Origin | None]] = {
    ".parquet": lambda path: _in_metadata(pq.read_schema(path).metadata),
    ".arrow": _of_arrow,
    ".safetensors": _of_safetensors,
    ".pth": _of_torch,
    ".pkl": lambda path: read_pickle(path).get("origin"),
    ".json": lambda path: json.loads(path.read_text()).get("origin"),
}
