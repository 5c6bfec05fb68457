"""Pictures: found below a folder, dealt into shards, located by an annotation file, read as RGB."""

from soco.pictures.annotated import annotated_picture
from soco.pictures.read import UnreadablePictureError, read_rgb
from soco.pictures.shards import find_pictures, write_shards

__all__ = ["UnreadablePictureError", "annotated_picture", "find_pictures", "read_rgb", "write_shards"]
