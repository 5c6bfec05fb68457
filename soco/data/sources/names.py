"""Which names are images."""

import re

IMAGE_SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def is_image(name: str) -> bool:
    """Whether a path with forward slashes ends like an image, and neither it nor a folder of it is hidden."""
    return is_named_like_one(name) and not is_hidden(name)


def is_named_like_one(name: str) -> bool:
    """Whether a name ends like an image's."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_hidden(name: str) -> bool:
    """Whether a part of a path begins with a full stop."""
    return name.startswith(".") or "/." in name


def climbs(name: str) -> bool:
    """Whether a part of a path is `..`, by which an archive's member would lie outside of it."""
    return ".." in re.split(r"[/\\]", name)


def plain(name: str) -> str:
    """An archive member's name without the leading `./` or `/` that some archivers write."""
    while name.startswith(("/", "./")):
        name = name.removeprefix(".").lstrip("/")
    return name
