"""Helpers of several benchmarks: photographs as JPEG files with a store of boxes, and memory."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from soco.config import ImagesConfig, PretrainConfig, load_config
from soco.data import Entry, ImageSource, open_source
from soco.data.contents import content_of
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, flat_rect_columns, image_columns
from soco.demo.photographs import PHOTOGRAPHS, pixels_of

REPOSITORY = Path(__file__).parents[1]
BOXES = 40
QUALITY = 90


def recipe(name: str) -> PretrainConfig:
    """Load a recipe of `recipes/` by its name, such as `fpn_100`."""
    return load_config(REPOSITORY / "recipes" / f"soco_{name}.yaml").pretrain[f"soco_{name}"]


def write_photographs(folder: Path, size: tuple[int, int], count: int) -> list[Entry]:
    """Write photographs as JPEG files of a width and height.

    Each is cut to the shape, then resized.
    """
    folder.mkdir(parents=True)
    entries: list[Entry] = []
    step = max(1, len(PHOTOGRAPHS) // count)
    for photograph in [p for p in PHOTOGRAPHS if p.use != "material"][::step][:count]:
        pixels = pixels_of(photograph)
        height, width = pixels.shape[:2]
        across, down = (
            min(width, height * size[0] // size[1]),
            min(height, width * size[1] // size[0]),
        )
        shrinks = across > size[0]
        resized = cv2.resize(
            pixels[:down, :across],
            size,
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
        )
        _, encoded = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        name = f"{len(entries):03d}.jpg"
        (folder / name).write_bytes(encoded.tobytes())
        digest = hashlib.sha256(encoded.tobytes()).digest()
        entries.append(Entry(name, "", 0, len(encoded), content_of(digest)))
    return entries


def boxes(
    rng: np.random.Generator, count: int, size: tuple[int, int] = (500, 375)
) -> dict[str, pa.Array]:
    """Draw random boxes within `count` images of a width and height."""
    most = (size[0] * 4 // 5, size[1] * 4 // 5)
    sizes = rng.integers(32, most, (count * BOXES, 2))
    corners = (rng.random((count * BOXES, 2)) * (np.array(size) - sizes)).astype(np.int16)
    return flat_rect_columns(np.concatenate([corners, sizes], axis=1), np.full(count, BOXES))


def photograph_store(folder: Path, size: tuple[int, int], count: int) -> tuple[Path, ImageSource]:
    """Write photographs of a size with random boxes; return their store and their source."""
    entries = write_photographs(folder / "images", size, count)
    columns = {
        **image_columns(entries, [size] * len(entries)),
        "regions": [250] * len(entries),
        "strategy": ["ratio3size0308"] * len(entries),
        **boxes(np.random.default_rng(0), len(entries), size),
    }
    write_table(folder / "store.parquet", pa.table(columns, schema=PROPOSAL_SCHEMA))
    write_arrow(folder / "store.arrow", merge_files([folder / "store.parquet"]))
    return folder / "store.arrow", open_source(ImagesConfig(path=str(folder / "images")))


def memory(process: int | str = "self") -> tuple[int, int]:
    """A process's memory in bytes: proportional (PSS) and unshared (USS)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]
