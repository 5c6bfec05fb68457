"""Compare the images with the listing: which exist, and what they contain."""

import os
from collections.abc import Iterator, Sequence

import pyarrow.compute as pc

from soco.config import ImagesConfig
from soco.data import MANIFEST_SCHEMA, SHARD_SCHEMA, ImageSource, open_source
from soco.data.contents import contents
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import entries_of
from soco.jobs import Record
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.reported import Reported, outputs_of

_LOCATION = ("key", "container", "offset", "bytes")


def check_images(run: Reported, shards: Sequence[str]) -> Iterator[Check]:
    """Check the listing of all images, and the content of those in some shards."""
    yield check("listing of the images", "the images, listed again", _listing, run)
    for shard in shards:
        name = f"shard {shard}: images"
        yield check(name, "size and SHA-256 in the listing", _contents, run, int(shard))


def _listing(run: Reported) -> Outcome:
    record = _record(run)
    manifest = read_table(outputs_of(record, "manifest")[0], MANIFEST_SCHEMA)
    listed = set(zip(*(manifest[name].to_pylist() for name in _LOCATION), strict=True))
    present = {
        tuple(getattr(entry, name) for name in _LOCATION) for entry in _source(run).entries()
    }
    faults = [f"{key} is in the listing, but not in the source" for key, *_ in listed - present]
    faults += [f"{key} is in the source, but not in the listing" for key, *_ in present - listed]
    shards = outputs_of(record, "shards")
    for number, path in enumerate(shards):
        own = manifest.filter(pc.equal(manifest["shard"], number)).select(SHARD_SCHEMA.names)
        if not read_table(path, SHARD_SCHEMA).equals(own):
            faults.append(f"{path} does not have the images that the listing assigns to it")
    return sorted(faults), f"{len(listed)} image(s) in {len(shards)} shard(s)."


def _contents(run: Reported, shard: int) -> Outcome:
    table = read_table(outputs_of(_record(run), "shards")[shard], SHARD_SCHEMA)
    current = contents(_source(run), entries_of(table), os.cpu_count() or 1)
    faults = [
        f"{row['key']} is not the image that was listed"
        for row, now in zip(table.to_pylist(), current, strict=True)
        # The hash of the encoded bytes, so nothing is decoded.
        if (row["width"], row["height"], row["sha256"]) != now
    ]
    return faults, f"{len(table)} image(s) are those that were listed."


def _record(run: Reported) -> Record:
    (record,) = run.writing("manifest", "shards")
    return record


def _source(run: Reported) -> ImageSource:
    return open_source(ImagesConfig.model_validate(run.config["images"]))
