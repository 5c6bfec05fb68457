"""Pictures: found in a source of any layout, dealt into shards, located by an annotation file, read as RGB."""

from soco.pictures.annotated import annotated_picture
from soco.pictures.contents import read_listed
from soco.pictures.manifest import MANIFEST_SCHEMA, SHARD_SCHEMA, deal_pictures
from soco.pictures.read import (
    Decoded,
    Header,
    UnreadablePictureError,
    decode_reduced,
    decode_rgb,
    picture_header,
    picture_size,
    read_file,
    read_rgb,
)
from soco.pictures.sources import Entry, PictureSource, open_source

__all__ = [
    "MANIFEST_SCHEMA",
    "SHARD_SCHEMA",
    "Decoded",
    "Entry",
    "Header",
    "PictureSource",
    "UnreadablePictureError",
    "annotated_picture",
    "deal_pictures",
    "decode_reduced",
    "decode_rgb",
    "open_source",
    "picture_header",
    "picture_size",
    "read_file",
    "read_listed",
    "read_rgb",
]
