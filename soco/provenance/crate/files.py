"""Entities of a crate: files that it contains, and files that it only describes."""

import base64
import io
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate

_FORMATS = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".html": "text/html",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".cff": "application/yaml",
    ".toml": "application/toml",
    ".py": "text/x-python",
    ".smk": "text/x-snakemake",
    ".rst": "text/x-rst",
    ".in": "text/plain",
    ".lock": "text/plain",
    "": "text/plain",
}


def add_file(crate: ROCrate, source: Path, place: str, **properties: Any) -> DataEntity:
    """Put a file into a crate.

    Args:
        crate: The crate.
        source: The file.
        place: Its path in the crate.
        properties: Other properties of its entity; `name` defaults to the file's name.
    """
    size = str(source.stat().st_size)
    return crate.add_file(source, place, properties=_of_file(place, size) | properties)


def add_text(crate: ROCrate, text: str, place: str, **properties: Any) -> DataEntity:
    """Put a text into a crate as a file."""
    size = str(len(text.encode()))
    return crate.add_file(io.StringIO(text), place, properties=_of_file(place, size) | properties)


def add_reference(
    crate: ROCrate, place: str, digest: str, kind: str = "File", **properties: Any
) -> DataEntity:
    """Describe a file or folder that is not in the crate.

    Its identifier is a named-information URI (RFC 6920) of its SHA-256, with its path, such as
    `ni:///sha-256;f4OxZX...?path=results/a.json`.

    Args:
        crate: The crate.
        place: Its path in the folder of the run.
        digest: SHA-256 in hex digits.
        kind: `File` or `Dataset`.
        properties: Other properties of its entity.
    """
    is_file = kind == "File"
    format_of = {"encodingFormat": _format(place)} if is_file else {}
    packed = base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")
    path = quote(place if is_file else f"{place.rstrip('/')}/")
    described = {"@type": kind, "name": place, "sha256": digest} | format_of | properties
    identifier = f"ni:///sha-256;{packed}?path={path}"
    return crate.add(DataEntity(crate, identifier, properties=described))


def add_entity(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> ContextEntity:
    """Add an entity that is not a file, such as a person or a licence."""
    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind} | properties))


def distinct(entities: list[Any]) -> list[Any]:
    """Each entity once, in order."""
    return list({entity.id: entity for entity in entities}.values())


def _of_file(place: str, size: str) -> dict[str, str]:
    return {"name": Path(place).name, "contentSize": size, "encodingFormat": _format(place)}


def _format(place: str) -> str:
    known = _FORMATS.get(Path(place).suffix) or mimetypes.guess_type(place)[0]
    return known or "application/octet-stream"
