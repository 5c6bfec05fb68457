"""Pictures: found below a folder, dealt into shards, located by an annotation file, read as RGB."""

from soco.config import PicturesConfig
from soco.pictures.annotated import annotated_picture
from soco.pictures.read import UnreadablePictureError, decode_rgb, read_rgb
from soco.pictures.shards import SHARD_SCHEMA, find_pictures, write_shards
from soco.pictures.sources import Entry, PictureSource
from soco.pictures.sources.folder import FolderSource

__all__ = [
    "SHARD_SCHEMA",
    "Entry",
    "PictureSource",
    "UnreadablePictureError",
    "annotated_picture",
    "decode_rgb",
    "find_pictures",
    "open_source",
    "read_rgb",
    "write_shards",
]


def open_source(settings: PicturesConfig) -> PictureSource:
    """The source of the pictures that the configuration names."""
    return FolderSource(settings.path)
