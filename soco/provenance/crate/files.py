"""Files and data as entities of a crate: packed into it, or referred to by what they hold."""

import base64
import io
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
        source: Where the file lies.
        place: Its path in the crate.
        properties: More of its entity; `name` is its base name otherwise.
    """
    told = (
        {"name": Path(place).name, "contentSize": str(source.stat().st_size)}
        | _format(place)
        | properties
    )
    return crate.add_file(source, place, properties=told)


def add_text(crate: ROCrate, text: str, place: str, **properties: Any) -> DataEntity:
    """Put a text into a crate as a file."""
    told = (
        {"name": Path(place).name, "contentSize": str(len(text.encode()))}
        | _format(place)
        | properties
    )
    return crate.add_file(io.StringIO(text), place, properties=told)


def add_reference(
    crate: ROCrate, place: str, digest: str, kind: str = "File", **properties: Any
) -> DataEntity:
    """Tell of a file or folder that is not in the crate.

    It goes by its content: a named-information URI (RFC 6920) of its SHA-256, with its path.

    Args:
        crate: The crate.
        place: Its path in the folder of the run.
        digest: SHA-256 in hex digits.
        kind: `File` or `Dataset`.
        properties: More of its entity.
    """
    told = (
        {"@type": kind, "name": place, "sha256": digest}
        | (_format(place) if kind == "File" else {})
        | properties
    )
    identifier = named_information(place if kind == "File" else f"{place.rstrip('/')}/", digest)
    return crate.add(DataEntity(crate, identifier, properties=told))


def named_information(place: str, digest: str) -> str:
    """The `ni` URI of a content and its path, such as `ni:///sha-256;f4OxZX...?path=results/a.json`."""
    packed = base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")
    return f"ni:///sha-256;{packed}?path={quote(place)}"


def _format(place: str) -> dict[str, str]:
    suffix = Path(place).suffix
    known = _FORMATS.get(suffix) or mimetypes.guess_type(place)[0] or "application/octet-stream"
    return {"encodingFormat": known}
