"""Some shards searched and filtered again, with the fallbacks, and compared box by box.

The store merged afresh.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soco.config import FilterConfig, ImagesConfig, ProposalsConfig
from soco.data import MANIFEST_SCHEMA, SHARD_SCHEMA, open_source
from soco.data.contents import contents
from soco.data.stores.merging import merge_files, proposal_tables
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import (
    PROPOSAL_SCHEMA,
    RAW_SCHEMA,
    SKIPPED_SCHEMA,
    entries_of,
    rects_of,
)
from soco.errors import UserError
from soco.jobs import Record
from soco.proposals.filter_stage import apply_fallbacks, filter_shard
from soco.proposals.import_stage import import_shards
from soco.proposals.search_stage import SearchJob, search_shard
from soco.provenance.audit.checks import Check, check
from soco.provenance.audit.reported import Reported, given, output
from soco.seeds import generator

Faults = tuple[list[str], str]
_IMAGES = "the images, read and worked on again"
_THREADS = os.cpu_count() or 1


def check_shards(run: Reported, count: int, seed: int, folder: Path) -> Iterator[Check]:
    """The listing, some shards from their images on, and the store.

    Args:
        run: The run.
        count: How many shards.
        seed: Of their choice.
        folder: Receives what is made afresh.
    """
    yield check("listing of the images", "the source, listed again", _listing, run)
    made = Path(folder)
    imported = run.config["proposals"]["engine"] == "imported"
    if imported:
        yield check("imported regions", "the file of boxes, read again", _import_again, run, made)
    for shard in chosen(run.config["images"]["shards"], count, seed):
        yield check(f"shard {shard}: images", "size and SHA-256 in the listing", _bytes, run, shard)
        if not imported:
            yield check(f"shard {shard}: search", _IMAGES, _search, run, shard, made)
        yield check(f"shard {shard}: filter", _IMAGES, _filter, run, shard, made)
        yield check(f"shard {shard}: fallbacks", _IMAGES, _fallbacks, run, shard, made)
    yield check("store", "the shards, merged again", _store, run)


def chosen(shards: int, count: int, seed: int) -> list[str]:
    """The names of shards drawn without replacement, in order."""
    numbers = generator(seed).choice(shards, min(count, shards), replace=False)
    return [f"{number:04d}" for number in sorted(numbers)]


def _images(run: Reported) -> ImagesConfig:
    return ImagesConfig.model_validate(run.config["images"])


def _only(run: Reported, rule: str, **wildcards: str) -> Record:
    records = run.of(rule, **wildcards)
    if len(records) != 1:
        raise UserError(
            f"The report has {len(records)} jobs of {rule} {' '.join(wildcards.values())} and needs"
            " one."
        )
    return records[0]


def _listing(run: Reported) -> Faults:
    manifest = read_table(output(_only(run, "shard_images"), "manifest"), MANIFEST_SCHEMA)
    listed = set(
        zip(
            *(manifest[name].to_pylist() for name in ("key", "container", "offset", "bytes")),
            strict=True,
        )
    )
    there = {
        (entry.key, entry.container, entry.offset, entry.bytes)
        for entry in open_source(_images(run)).entries()
    }
    faults = [f"{key} is listed, and not there as listed" for key, *_ in sorted(listed - there)]
    faults += [f"{key} is there, and not listed so" for key, *_ in sorted(there - listed)]
    for number, path in enumerate(_shard_files(run)):
        own = manifest.filter(pc.equal(manifest["shard"], number)).select(SHARD_SCHEMA.names)
        if not read_table(path, SHARD_SCHEMA).equals(own):
            faults.append(f"{path} holds other images than the listing deals it")
    return faults, f"{len(listed)} image(s) in {run.config['images']['shards']} shard(s)."


def _shard_files(run: Reported) -> list[Path]:
    made = _only(run, "shard_images")["outputs"]
    return [Path(entry["path"]) for entry in made if entry["name"] == "shards"]


def _bytes(run: Reported, shard: str) -> Faults:
    table = read_table(_shard_files(run)[int(shard)], SHARD_SCHEMA)
    rows = table.to_pylist()
    found = contents(open_source(_images(run)), entries_of(table), _THREADS)
    pairs = zip(rows, found, strict=True)
    other = [
        row["key"] for row, now in pairs if (row["width"], row["height"], row["sha256"]) != now
    ]
    return [
        f"{key} is another image now" for key in other
    ], f"{len(rows)} image(s) are those listed."


def _search(run: Reported, shard: str, folder: Path) -> Faults:
    record = _only(run, "search_regions", shard=shard)
    images = _images(run).model_copy(update={"max_megapixels": record["params"]["max_megapixels"]})
    raw, skipped = folder / f"raw-{shard}.parquet", folder / f"skipped-{shard}.parquet"
    settings = ProposalsConfig.model_validate(record["params"]["settings"])
    file = _shard_files(run)[int(shard)]
    search_shard(SearchJob(file, open_source(images), settings, images, _THREADS, raw, skipped))
    faults = _compared(output(record, "skipped"), skipped, SKIPPED_SCHEMA, "")
    return faults + _compared(output(record, "raw"), raw, RAW_SCHEMA, "region"), _counted(
        raw, RAW_SCHEMA, "region"
    )


def _import_again(run: Reported, folder: Path) -> Faults:
    record = _only(run, "import_regions")
    images = _images(run).model_copy(update={"max_megapixels": record["params"]["max_megapixels"]})
    shards = _shard_files(run)
    raw = [folder / f"raw-{number:04d}.parquet" for number in range(len(shards))]
    skipped = [folder / f"skipped-{number:04d}.parquet" for number in range(len(shards))]
    import_shards(shards, str(given(record, "boxes")), images, raw, skipped)
    made = {
        name: [Path(out["path"]) for out in record["outputs"] if out["name"] == name]
        for name in ("raw", "skipped")
    }
    faults = []
    for told, again in zip(made["raw"], raw, strict=True):
        faults += _compared(told, again, RAW_SCHEMA, "region")
    for told, again in zip(made["skipped"], skipped, strict=True):
        faults += _compared(told, again, SKIPPED_SCHEMA, "")
    return faults, f"The regions of {len(shards)} shard(s) are those of the file."


def _filter(run: Reported, shard: str, folder: Path) -> Faults:
    record, made = _only(run, "filter_regions", shard=shard), folder / f"filtered-{shard}.parquet"
    filter_shard(
        _again(folder, "raw", shard),
        FilterConfig.model_validate(record["params"]["settings"]),
        made,
    )
    faults = _compared(output(record, "filtered"), made, PROPOSAL_SCHEMA, "proposal")
    return faults, _counted(made, PROPOSAL_SCHEMA, "proposal")


def _fallbacks(run: Reported, shard: str, folder: Path) -> Faults:
    record, made = _only(run, "apply_fallbacks", shard=shard), folder / f"fixed-{shard}.parquet"
    settings = FilterConfig.model_validate(record["params"]["settings"])
    apply_fallbacks(_again(folder, "raw", shard), _again(folder, "filtered", shard), settings, made)
    faults = _compared(output(record, "fixed"), made, PROPOSAL_SCHEMA, "proposal")
    return faults, _counted(made, PROPOSAL_SCHEMA, "proposal")


def _again(folder: Path, kind: str, shard: str) -> Path:
    """What an earlier check made afresh: the stored file is not built on."""
    path = folder / f"{kind}-{shard}.parquet"
    if not path.exists():
        raise UserError(
            f"The {kind} boxes of shard {shard} could not be made afresh; see the check before."
        )
    return path


def _store(run: Reported) -> Faults:
    record = _only(run, "merge_proposals")
    merged = merge_files(record["inputs"]["fixed"])
    arrow, store = output(record, "arrow"), output(record, "store")
    faults = []
    with pa.memory_map(str(arrow)) as mapped:
        if not pa.ipc.open_file(mapped).get_batch(0).equals(merged):
            faults.append(f"{arrow} does not hold the proposals of the shards")
    if not _equal_in_parts(store, merged):
        faults.append(f"{store} does not hold the proposals of the shards")
    return faults, f"Both stores hold the proposals of {len(merged)} image(s)."


def _equal_in_parts(store: Path, merged: pa.RecordBatch) -> bool:
    """Whether a Parquet store holds the rows, which are turned into its form so many at a time."""
    rows = 1 << 15
    held = read_table(store, PROPOSAL_SCHEMA)
    parts = enumerate(proposal_tables(merged, rows))
    return len(held) == len(merged) and all(
        held.slice(number * rows, rows).equals(part) for number, part in parts
    )


def _compared(told: Path, again: Path, schema: pa.Schema, what: str) -> list[str]:
    """Faults of a stored table beside one made afresh; boxes are compared one by one."""
    ours, theirs = read_table(told, schema), read_table(again, schema)
    if ours.equals(theirs):
        return []
    if ours["key"].to_pylist() != theirs["key"].to_pylist():
        return [
            f"{told} holds {len(ours)} row(s) of other images than the {len(theirs)} made afresh"
        ]
    if not what:
        return [f"{told} differs"]
    pairs = zip(ours["key"].to_pylist(), rects_of(ours), rects_of(theirs), strict=True)
    wrong = [
        (key, _first(told_boxes, boxes))
        for key, told_boxes, boxes in pairs
        if not np.array_equal(told_boxes, boxes)
    ]
    others = [name for name in schema.names if not ours[name].equals(theirs[name])]
    faults = [f"{told}: in {key}, {what} {place}" for key, place in wrong]
    return faults or [f"{told} differs in {', '.join(others)}"]


def _first(told: np.ndarray, again: np.ndarray) -> str:
    """The first box that differs, in words."""
    if len(told) != len(again):
        return f"count is {len(told)}, made afresh {len(again)}"
    number = int(np.flatnonzero((told != again).any(axis=1))[0])
    return f"{number} is {told[number].tolist()}, made afresh {again[number].tolist()}"


def _counted(path: Path, schema: pa.Schema, what: str) -> str:
    boxes: Sequence[np.ndarray] = rects_of(read_table(path, schema))
    return f"{sum(map(len, boxes)):,} {what}s of {len(boxes)} image(s), equal box by box."
