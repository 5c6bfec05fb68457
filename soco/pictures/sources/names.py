"""Which names are pictures."""

PICTURE_SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def is_picture(name: str) -> bool:
    """Whether a path with forward slashes ends like a picture, and neither it nor a folder of it is hidden."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether a part of a path begins with a full stop."""
    return name.startswith(".") or "/." in name


def plain(name: str) -> str:
    """An archive member's name without the leading `./` or `/` that some archivers write."""
    while name.startswith(("/", "./")):
        name = name.removeprefix(".").lstrip("/")
    return name
