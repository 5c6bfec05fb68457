"""The data that a run was given, each with a digest: of the file, or of a listing of files."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from soco.data import MANIFEST_SCHEMA
from soco.data.stores.parquet import read_table
from soco.io import digest_of_lines, fingerprint
from soco.jobs import Record

SPLITS = ("train", "val")


def data_sets(config: Mapping[str, Any], records: Sequence[Record]) -> list[dict[str, Any]]:
    """The files and folders of the configuration that some job read, with their digests.

    Args:
        config: The whole configuration, plain.
        records: Records of all jobs.

    Returns:
        One entry per file or folder, see `soco.report.schema.Data`.
    """
    manifests = [
        Path(output["path"])
        for record in records
        for output in record["outputs"]
        if output["name"] == "manifest"
    ]
    entries = []
    for name, kind, path in _given(config):
        used_by = dict.fromkeys(
            record["rule"]
            for record in records
            if path in chain.from_iterable(record["inputs"].values())
        )
        if used_by:
            listed = manifests and (name, kind) == ("images", "images")
            files, digest = images_digest(manifests[0]) if listed else _digest(path)
            entries.append(
                {"name": name, "kind": kind, "path": path, "files": files, "digest": digest}
                | {"used_by": list(used_by)}
            )
    return entries


def images_digest(manifest: Path) -> tuple[int, str]:
    """The digest of the images that are pretrained on.

    Args:
        manifest: Parquet, with the key and the SHA-256 of each image.

    Returns:
        Number of images, and the SHA-256 of the sorted lines `key`, tab, SHA-256 of the image.
    """
    table = read_table(manifest, MANIFEST_SCHEMA, ["key", "sha256"])
    keys, hashes = table["key"].to_pylist(), table["sha256"].to_pylist()
    return len(keys), digest_of_lines(
        [f"{key}\t{sha.hex()}" for key, sha in zip(keys, hashes, strict=True)]
    )


def _given(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, kind and path of everything that the configuration points to."""
    yield "images", "images", config["images"]["path"]
    for name, dataset in config["datasets"].items():
        for split in SPLITS:
            yield f"{name}.{split}", "annotations", dataset[split]["annotations"]
            yield f"{name}.{split}", "images", dataset[split]["images"]
    for name, probe in config["probes"].items():
        for split in SPLITS:
            yield f"{name}.{split}", "images", probe[split]
    for name, weights in config["weights"].items():
        yield name, "weights", weights["path"]
    if config["proposals"]["engine"] == "imported":
        yield "proposals", "boxes", config["proposals"]["file"]


def _digest(path: str) -> tuple[int | None, str]:
    """The number of files, and the hash of the file or of the folder's listing."""
    digest = fingerprint(Path(path))
    return (digest.get("files") if Path(path).is_dir() else 1), digest["sha256"]
