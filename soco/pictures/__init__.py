"""Unlabelled pictures: found below a folder, dealt into shards, read as RGB."""

from soco.pictures.read import UnreadablePictureError, read_rgb
from soco.pictures.shards import find_pictures, write_shards

__all__ = ["UnreadablePictureError", "find_pictures", "read_rgb", "write_shards"]
