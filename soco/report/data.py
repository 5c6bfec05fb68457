"""The data that a run was given, each with a digest: of the file, or of a manifest of many."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from soco.data import MANIFEST_SCHEMA
from soco.data.stores.parquet import read_table
from soco.io import digest_of_lines, fingerprint, sha256_of
from soco.jobs import Record

Data = dict[str, Any]


def data_sets(config: Mapping[str, Any], records: Sequence[Record]) -> list[Data]:
    """What the jobs read that the configuration names.

    Args:
        config: The whole configuration, plain.
        records: Of all jobs.

    Returns:
        One entry an input: `name`, `kind` (images, annotations, weights, boxes), `path`, `files`,
        `digest`, and `used_by`, the rules that read it. The digest is the SHA-256 of a file; of the
        images that are pretrained on it is `images_digest`, of another folder of images the hash of
        its listing, see `fingerprint`.
    """
    sets = [
        *_images(config, records),
        *_detection_sets(config, records),
        *_labelled(config, records),
    ]
    for name, given in config["weights"].items():
        sets.append(_file(name, "weights", given["path"]))
    if config["proposals"]["engine"] == "imported":
        sets.append(_file("proposals", "boxes", config["proposals"]["file"]))
    told = [entry | {"used_by": _rules_that_read(entry["path"], records)} for entry in sets]
    return [entry for entry in told if entry["used_by"]]


def images_digest(manifest: Path) -> tuple[int, str]:
    """How many images a manifest lists, and the SHA-256 of its sorted lines `key`, tab, SHA-256 of the image."""
    table = read_table(manifest, MANIFEST_SCHEMA, ["key", "sha256"])
    keys, hashes = table["key"].to_pylist(), table["sha256"].to_pylist()
    return len(keys), digest_of_lines(
        [f"{key}\t{sha.hex()}" for key, sha in zip(keys, hashes, strict=True)]
    )


def _images(config: Mapping[str, Any], records: Sequence[Record]) -> list[Data]:
    manifests = [
        output["path"]
        for record in records
        for output in record["outputs"]
        if record["rule"] == "shard_images" and output["name"] == "manifest"
    ]
    found = [images_digest(Path(manifest)) for manifest in manifests]
    return [
        _entry("images", "images", config["images"]["path"], files, digest)
        for files, digest in found
    ]


def _detection_sets(config: Mapping[str, Any], records: Sequence[Record]) -> list[Data]:
    checked = [
        record["wildcards"]["dataset"] for record in records if record["rule"] == "check_dataset"
    ]
    sets = []
    for name, half in (
        (name, half) for name in dict.fromkeys(checked) for half in ("train", "val")
    ):
        split = config["datasets"][name][half]
        folder = fingerprint(Path(split["images"]))
        sets.append(_file(f"{name}.{half}", "annotations", split["annotations"]))
        sets.append(
            _entry(
                f"{name}.{half}", "images", split["images"], folder.get("files"), folder["sha256"]
            )
        )
    return sets


def _labelled(config: Mapping[str, Any], records: Sequence[Record]) -> list[Data]:
    probed = dict.fromkeys(
        record["wildcards"]["probe"] for record in records if record["rule"] == "probe_backbone"
    )
    folders = [
        (f"{name}.{half}", config["probes"][name][half])
        for name in probed
        for half in ("train", "val")
    ]
    found = [(name, path, fingerprint(Path(path))) for name, path in folders]
    return [
        _entry(name, "images", path, told.get("files"), told["sha256"])
        for name, path, told in found
    ]


def _file(name: str, kind: str, path: str) -> Data:
    return _entry(name, kind, path, 1, sha256_of(Path(path)))


def _entry(name: str, kind: str, path: str, files: int | None, digest: str) -> Data:
    return {"name": name, "kind": kind, "path": path, "files": files, "digest": digest}


def _rules_that_read(path: str, records: Sequence[Record]) -> list[str]:
    found = (
        record["rule"]
        for record in records
        if path in chain.from_iterable(record["inputs"].values())
    )
    return list(dict.fromkeys(found))
