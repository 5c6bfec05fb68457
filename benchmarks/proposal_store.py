"""Compare the proposal store with the SoCo authors' JSON at ImageNet's size.

Measures bytes, opening time, memory and the time to read a row. Boxes are synthetic; columns, keys
and their number are as in a real run. The JSON has only some of the images, and its results are
scaled up, because four processes with the full JSON would not fit into this machine's memory.
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import BOXES, boxes, memory

from soco.data import Entry
from soco.data.contents import content_of
from soco.data.stores.merging import merge_files, proposal_tables
from soco.data.stores.parquet import write_table, write_tables
from soco.data.stores.proposal_store import ProposalStore, write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns
from soco.demo.photographs import PHOTOGRAPHS, pixels_of
from soco.proposals.exchange import export_proposals
from soco.proposals.raw import write_raw
from soco.proposals.selective_search import selective_search

SHARD = 1000
PROCESSES = 4
ROWS = 1000
TIMED_ROWS = 10_000

Reader = Callable[[int], object]
Opener = Callable[[Path], tuple[int, Reader]]


def image(number: int) -> Entry:
    """An image with a key like those of ImageNet's training images."""
    synset = f"n{1440764 + number // 1280 * 7919:08d}"
    content = content_of(hashlib.sha256(str(number).encode()).digest())
    return Entry(f"{synset}/{synset}_{number}.JPEG", "", 0, 110_000, content)


def write_shards(folder: Path, images: int) -> None:
    """Write the shards of `images` images, as they are after the fallbacks."""
    rng = np.random.default_rng(0)
    for first in range(0, images, SHARD):
        numbers = range(first, min(images, first + SHARD))
        counted = {"regions": [250] * len(numbers), "strategy": ["ratio3size0308"] * len(numbers)}
        places = image_columns([image(number) for number in numbers], [(500, 375)] * len(numbers))
        columns = {**places, **counted, **boxes(rng, len(numbers))}
        write_table(
            folder / f"{first // SHARD:06d}.parquet", pa.table(columns, schema=PROPOSAL_SCHEMA)
        )


def raw_bytes(folder: Path) -> tuple[float, float]:
    """Mean regions and mean bytes in the raw store, of real photographs of 500 pixels."""
    searches = []
    for photograph in PHOTOGRAPHS:
        rgb = pixels_of(photograph)[:, :, ::-1]
        scale = 500 / max(rgb.shape)
        size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        resized = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        searches.append((*size, selective_search(resized)))
    entries = [image(number) for number in range(len(searches))]
    write_raw(entries, searches, folder / "raw.parquet", folder / "skipped.parquet")
    columns = pq.ParquetFile(folder / "raw.parquet").metadata.row_group(0)
    size_of_columns = sum(
        columns.column(number).total_compressed_size for number in range(columns.num_columns)
    )
    return statistics.mean(len(regions) for _, _, regions in searches), size_of_columns / len(
        searches
    )


def open_arrow(path: Path) -> tuple[int, Reader]:
    """Open the store as training does; a row is the boxes and the location of an image."""
    store = ProposalStore(path)
    return len(store), lambda number: (store.rects(number), store.entry(number))


def open_json(path: Path) -> tuple[int, Reader]:
    """Load the authors' JSON."""
    with path.open() as file:
        content = json.load(file)
    names = list(content)
    return len(names), lambda number: np.asarray(content[names[number]])


def use(opener: Opener, path: Path, seed: int, pipe: Connection) -> None:
    """Open a store, read rows, and send the results while the other processes keep theirs open."""
    before = memory()
    start = time.perf_counter()
    count, read = opener(path)
    opened = time.perf_counter() - start
    after_opening = memory()
    numbers = np.random.default_rng(seed).integers(0, count, max(ROWS, TIMED_ROWS)).tolist()
    for number in numbers[:ROWS]:
        read(number)
    pipe.send(None)
    pipe.recv()
    after = memory()
    pipe.send(None)
    pipe.recv()
    seconds = []
    for number in numbers[:TIMED_ROWS]:
        start = time.perf_counter()
        read(number)
        seconds.append(time.perf_counter() - start)
    pipe.send(
        {
            "open": opened,
            "opened_uss": after_opening[1] - before[1],
            "pss": after[0] - before[0],
            "uss": after[1] - before[1],
            "row": statistics.median(seconds),
        }
    )


def measure(opener: Opener, path: Path) -> dict[str, float]:
    """Open the store in several new processes at once; return the medians over them."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    for seed in range(PROCESSES):
        ours, theirs = context.Pipe()
        context.Process(target=use, args=(opener, path, seed, theirs)).start()
        pipes.append(ours)
    for _ in range(2):  # measure memory when all have read, then time when all have measured
        for pipe in pipes:
            pipe.recv()
        for pipe in pipes:
            pipe.send(None)
    results = [pipe.recv() for pipe in pipes]
    return {key: statistics.median(row[key] for row in results) for key in results[0]}


def make_stores(folder: Path, images: int) -> None:
    """Merge the shards, as the merge stage does."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shards = sorted((folder / "shards").iterdir())
    merged = merge_files(shards)
    write_tables(folder / "store.parquet", PROPOSAL_SCHEMA, proposal_tables(merged))
    write_arrow(folder / "store.arrow", merged)
    seconds = time.perf_counter() - start
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"merging {len(shards)} shards: {seconds:.0f} s, {added / 1e3:.0f} MB more memory")


def make_json(folder: Path, images: int) -> None:
    """Write a JSON file of `images` images in the authors' format."""
    shards = sorted((folder / "shards").iterdir())
    write_arrow(folder / "part.arrow", merge_files(shards[: -(-images // SHARD)]))
    export_proposals(folder / "part.arrow", folder / "authors.json")


def in_a_process(task: Callable[[Path, int], None], folder: Path, images: int) -> None:
    """Run a task in a new process, so that its memory is measured alone."""
    process = multiprocessing.get_context("spawn").Process(target=task, args=(folder, images))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def main() -> None:
    """Make the stores, measure them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_280_000, help="images in the store")
    parser.add_argument("--json-images", type=int, default=64_000, help="images in the JSON")
    chosen = parser.parse_args()
    part = min(chosen.images, chosen.json_images)
    scale = chosen.images / part
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_a_process(write_shards, folder / "shards", chosen.images)
        in_a_process(make_stores, folder, chosen.images)
        in_a_process(make_json, folder, part)
        sizes = {
            file: (folder / file).stat().st_size
            for file in ("store.arrow", "store.parquet", "authors.json")
        }
        regions, raw = raw_bytes(folder)
        arrow, authors = (
            measure(open_arrow, folder / "store.arrow"),
            measure(open_json, folder / "authors.json"),
        )
    print(
        f"{chosen.images} images of {BOXES} boxes; the JSON has {part}, its opening time and"
        f" memory are multiplied by {scale:g}"
    )
    print(f"{'':<44}{'store.arrow':>13}{'JSON':>13}{'JSON / arrow':>14}")
    row("bytes per image", sizes["store.arrow"] / chosen.images, sizes["authors.json"] / part)
    row("opening, s", arrow["open"], authors["open"] * scale)
    row(
        "memory that opening adds (USS), MB",
        arrow["opened_uss"] / 1e6,
        authors["opened_uss"] * scale / 1e6,
    )
    row(
        f"after {ROWS} rows, each of {PROCESSES}: USS, MB",
        arrow["uss"] / 1e6,
        authors["uss"] * scale / 1e6,
    )
    row(
        f"after {ROWS} rows, each of {PROCESSES}: PSS, MB",
        arrow["pss"] / 1e6,
        authors["pss"] * scale / 1e6,
    )
    row("a random row, microseconds", arrow["row"] * 1e6, authors["row"] * 1e6)
    parquet = sizes["store.parquet"] / chosen.images
    print(f"store.parquet: {parquet:.0f} bytes per image (random boxes)")
    print(f"raw Parquet: {raw:.0f} bytes per image of {regions:.0f} regions (real photographs)")


def row(what: str, ours: float, theirs: float) -> None:
    """Print one line of the table."""
    print(f"{what:<44}{ours:13.4g}{theirs:13.4g}{theirs / ours:14.4g}")


if __name__ == "__main__":
    main()
