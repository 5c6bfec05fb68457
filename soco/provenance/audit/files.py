"""Compare every file's hash with the report, and the origin in it with its job's record.

A file that was replaced by another run's is found by its origin even if all hashes were edited.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import humanize
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors
import torch

from soco.io import KEY, Origin, fingerprint
from soco.jobs import described, read_record
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.reported import Reported
from soco.provenance.changes import changes
from soco.transfer.convert import read_pickle


def check_hashes(run: Reported) -> Iterator[Check]:
    """Check the report's own files against their record, then the files of each rule."""
    yield check(str(run.path), "its own record", _own_files, run)
    jobs = run.content["jobs"]
    files = ((jobs[output["job"]]["rule"], output) for output in run.content["artefacts"])
    for rule, outputs in _grouped(files).items():
        yield check(f"files of {rule}", "size and SHA-256 in the report", _hashes, outputs)


def check_origins(run: Reported) -> Iterator[Check]:
    """Check the origins in the files of each rule."""
    files = (
        (record["rule"], (Path(output["path"]), described(record, record["environment"])))
        for record in run.records
        if record is not None
        for output in record["outputs"]
        if output["has_origin"]
    )
    for rule, pairs in _grouped(files).items():
        yield check(f"origin in files of {rule}", "their job's record", _origins, pairs)


def read_origin(path: Path) -> Origin | None:
    """The origin in a file; None if it has none, or is of a format that cannot have one."""
    read = _READERS.get(path.suffix)
    return read(path) if read else None


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for rule, value in pairs:
        groups.setdefault(rule, []).append(value)
    return groups


def _own_files(run: Reported) -> Outcome:
    outputs = read_record(run.own_record)["outputs"]
    if run.path.resolve() not in [Path(output["path"]).resolve() for output in outputs]:
        return [f"{run.own_record} belongs to a report other than {run.path}"], ""
    return _hashes(outputs)


def _hashes(files: list[dict[str, Any]]) -> Outcome:
    faults = [fault for output in files if (fault := _changed(output))]
    size = humanize.naturalsize(sum(output["bytes"] for output in files))
    return faults, f"{len(files)} file(s), {size}, are unchanged."


def _changed(output: dict[str, Any]) -> str | None:
    path = Path(output["path"])
    if not path.exists():
        return f"{path} is missing"
    now = fingerprint(path)
    if now["bytes"] != output["bytes"]:
        return f"{path} was changed from {output['bytes']:,} to {now['bytes']:,} bytes"
    if now["sha256"] != output["sha256"]:
        return f"{path} was changed: SHA-256 {output['sha256'][:12]}… -> {now['sha256'][:12]}…"
    return None


def _origins(pairs: list[tuple[Path, Origin]]) -> Outcome:
    faults = [fault for path, expected in pairs if (fault := _other_origin(path, expected))]
    return faults, f"{len(pairs)} file(s) name the job that wrote them."


def _other_origin(path: Path, expected: Origin) -> str | None:
    try:
        origin = read_origin(path)
    except Exception as error:  # damaged files fail in many ways
        return f"{path} cannot be read ({type(error).__name__})"
    if not origin or "rule" not in origin:
        return f"{path} has no origin"
    # A shard names its rule alone, see `metadata_inside`.
    expected = {key: value for key, value in expected.items() if key in origin}
    difference = next(changes(expected, origin), None)
    if difference is None:
        return None
    return f"{path}: {difference.sentence('in the record of its job', 'in the file')}"


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
    # Mapped: only the origin is read, not gigabytes of tensors.
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    # Files for mmdetection have it in `meta`.
    return content.get("origin") or content.get("meta", {}).get("origin")


_READERS: dict[str, Callable[[Path], Origin | None]] = {
    ".parquet": lambda path: _in_metadata(pq.read_schema(path).metadata),
    ".arrow": _of_arrow,
    ".safetensors": _of_safetensors,
    ".pth": _of_torch,
    ".pkl": lambda path: read_pickle(path).get("origin"),
    ".json": lambda path: json.loads(path.read_text()).get("origin"),
}
