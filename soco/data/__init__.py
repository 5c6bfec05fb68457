"""Images: listed from a source of any layout, split into shards, read as RGB."""

from soco.data.coco import annotated_image
from soco.data.contents import read_listed
from soco.data.manifest import MANIFEST_SCHEMA, SHARD_SCHEMA, split_into_shards
from soco.data.read import (
    Decoded,
    Header,
    UnreadableImageError,
    decode_reduced,
    decode_rgb,
    image_header,
    image_size,
    read_file,
    read_rgb,
)
from soco.data.sources import Entry, ImageSource, open_source

__all__ = [
    "MANIFEST_SCHEMA",
    "SHARD_SCHEMA",
    "Decoded",
    "Entry",
    "Header",
    "ImageSource",
    "UnreadableImageError",
    "annotated_image",
    "decode_reduced",
    "decode_rgb",
    "image_header",
    "image_size",
    "open_source",
    "read_file",
    "read_listed",
    "read_rgb",
    "split_into_shards",
]
