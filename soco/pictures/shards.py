"""Deal the pictures of a folder tree into shards: the parts that the proposal stages work on."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from soco.errors import UserError
from soco.stores.files import whole_file

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
SHARD_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("container", pa.string()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.binary(32)),
    ]
)


def find_pictures(root: str | Path) -> list[tuple[str, int]]:
    """Find every picture below a folder.

    Returns:
        (key, bytes) of each, sorted by key; a key is the path below `root` with forward slashes. Hidden files and
        folders are passed over.

    Raises:
        UserError: The folder is missing or holds no picture.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"There is no picture folder {root}; set pictures.path to a folder of pictures.")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in PICTURE_SUFFIXES:
                found.append((path.relative_to(root).as_posix(), path.stat().st_size))
    if not found:
        suffixes = ", ".join(sorted(PICTURE_SUFFIXES))
        raise UserError(f"The folder {root} holds no picture ({suffixes}); set pictures.path to one that does.")
    return sorted(found)


def write_shards(root: str | Path, outputs: list[str]) -> int:
    """Deal the pictures below `root` into as many shards as there are outputs, in runs of neighbouring keys.

    Args:
        root: Folder tree of pictures.
        outputs: One Parquet path a shard; rows as in `SHARD_SCHEMA`.

    Returns:
        The number of pictures.
    """
    pictures = find_pictures(root)
    for number, output in enumerate(outputs):
        start, stop = (len(pictures) * n // len(outputs) for n in (number, number + 1))
        rows = [_row(Path(root), key, size) for key, size in pictures[start:stop]]
        with whole_file(output) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=SHARD_SCHEMA), temporary)
    return len(pictures)


def _row(root: Path, key: str, size: int) -> dict[str, Any]:
    data = (root / key).read_bytes()
    try:
        with Image.open(root / key) as picture:
            width, height = picture.size
    except Exception:
        width, height = 0, 0
    place = {"key": key, "container": "", "offset": 0, "bytes": size}
    return {**place, "width": width, "height": height, "sha256": hashlib.sha256(data).digest()}
