"""Deal the pictures of a folder tree into shards: the parts that the proposal stages work on."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from soco.errors import UserError
from soco.stores.files import whole_file

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
SHARD_SCHEMA = pa.schema([("key", pa.string()), ("bytes", pa.int64())])


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
        outputs: One Parquet path a shard; rows are key and bytes.

    Returns:
        The number of pictures.
    """
    pictures = find_pictures(root)
    for number, output in enumerate(outputs):
        start, stop = (len(pictures) * n // len(outputs) for n in (number, number + 1))
        rows = [{"key": key, "bytes": size} for key, size in pictures[start:stop]]
        with whole_file(output) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=SHARD_SCHEMA), temporary)
    return len(pictures)
