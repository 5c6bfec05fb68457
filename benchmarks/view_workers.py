"""Memory of 8 data loader workers on 1.28 million images: mapped store against Python lists.

The workers read every row once (boxes and location) in random order, as in an epoch, and make views
for one row in 2,000, from a few photographs. The lists are the authors' method: one JSON of all
boxes, which the training process parses before it forks its workers. They have only some of the
images, and the memory that they add is scaled up. A third loader has no boxes and is the baseline.
PSS divides shared pages among the processes that share them; USS counts only unshared pages.
"""

import argparse
import dataclasses
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from common import memory, photograph_store, recipe
from proposal_store import in_a_process, make_json, write_shards
from torch.utils.data import DataLoader, Dataset

from soco.data import Entry, ImageSource
from soco.data.stores.merging import merge_files
from soco.data.stores.proposal_store import ProposalStore, write_arrow
from soco.pretrain.views import ViewDataset, prepare_worker

WORKERS = 8
IMAGES = 16
ROWS_PER_VIEW = 2000
BATCH = 2048

Memory = dict[str, float]


class LentImages:
    """A source that returns a few photographs in turn for all images."""

    def __init__(self, lender: ImageSource) -> None:
        self.lender = lender

    def read(self, entry: Entry) -> bytes:
        """Return the photograph for the number at the end of the key."""
        number = int(entry.key.rsplit("_", 1)[1].removesuffix(".JPEG"))
        return self.lender.read(dataclasses.replace(entry, key=f"{number % IMAGES:03d}.jpg"))


class LentStore(ProposalStore):
    """A store without hashes: the photographs are not the images that it lists."""

    def entry(self, number: int) -> Entry:
        """Return the entry without its hash."""
        return dataclasses.replace(super().entry(number), content=0)


class StoreRows(Dataset[int]):
    """Rows of the mapped store; some rows are rendered as views."""

    def __init__(self, store: Path, lender: ImageSource) -> None:
        self.views = ViewDataset(store, LentImages(lender), recipe("fpn_100"), seed=0)  # type: ignore[arg-type]
        self.views.store = LentStore(store)

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, number: int) -> int:
        store = self.views.store
        store.entry(number)
        if number % ROWS_PER_VIEW == 0:
            return len(self.views[0, number].views)
        return int(store.rects(number).sum())


class ListRows(Dataset[int]):
    """Boxes parsed from the authors' JSON; some rows are rendered as views of the photographs."""

    def __init__(
        self, file: Path | None, photographs: tuple[Path, ImageSource], count: int
    ) -> None:
        self.views = ViewDataset(*photographs, recipe("fpn_100"), seed=0)
        self.boxes = json.loads(file.read_text()) if file else None
        self.names = list(self.boxes) if self.boxes else None
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> int:
        if number % ROWS_PER_VIEW == 0:
            return len(self.views[0, number % IMAGES].views)
        if self.boxes is None or self.names is None:
            return number
        return int(np.asarray(self.boxes[self.names[number]]).sum())


def read_all(folder: Path, kind: str, images: int, pipe: Connection) -> None:
    """Read all rows as a training process does, and send the memory of all processes."""
    torch.set_num_threads(1)
    lender = photograph_store(folder / kind, (500, 375), IMAGES)
    dataset: StoreRows | ListRows
    if kind == "store":
        dataset = StoreRows(folder / "store.arrow", lender[1])
    else:
        dataset = ListRows(folder / "authors.json" if kind == "lists" else None, lender, images)
    order = np.random.default_rng(0).permutation(len(dataset))
    loader = DataLoader(
        dataset,
        batch_sampler=[order[first : first + BATCH] for first in range(0, len(order), BATCH)],
        num_workers=WORKERS,
        worker_init_fn=prepare_worker,
        persistent_workers=True,
        multiprocessing_context="fork",  # as in training; this process was spawned itself
    )
    start = time.perf_counter()
    rows = sum(len(batch) for batch in loader)
    seconds = time.perf_counter() - start
    workers = [memory(process.pid or 0) for process in multiprocessing.active_children()]
    trainer = memory()
    pipe.send(
        {
            "workers": len(workers),
            "PSS of a worker": float(np.median([pss for pss, _ in workers])),
            "USS of a worker": float(np.median([uss for _, uss in workers])),
            "PSS of all": float(sum(pss for pss, _ in workers) + trainer[0]),
            "USS of all": float(sum(uss for _, uss in workers) + trainer[1]),
            "rows": rows,
            "seconds": seconds,
        }
    )


def measure(folder: Path, kind: str, images: int) -> Memory:
    """Run `read_all` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=read_all, args=(folder, kind, images, theirs))
    process.start()
    theirs.close()  # so that recv raises if the process fails
    measured: Memory = ours.recv()
    process.join()
    if measured["workers"] != WORKERS or measured["rows"] != images:
        raise SystemExit(
            f"{measured['workers']:g} workers read {measured['rows']:g} rows of {images}."
        )
    return measured


def make_store(folder: Path, images: int) -> None:
    """Merge the shards into the store that training maps."""
    write_arrow(folder / "store.arrow", merge_files(sorted((folder / "shards").iterdir())))


def main() -> None:
    """Make the store and the JSON, measure them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_280_000, help="images in the store")
    parser.add_argument(
        "--json-images", type=int, default=64_000, help="images in the lists, scaled up"
    )
    chosen = parser.parse_args()
    part = min(chosen.images, chosen.json_images)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_a_process(write_shards, folder / "shards", chosen.images)
        in_a_process(make_store, folder, chosen.images)
        in_a_process(make_json, folder, part)
        size = (folder / "store.arrow").stat().st_size
        without = measure(folder, "nothing", part)
        store = measure(folder, "store", chosen.images)
        lists = measure(folder, "lists", part)
    scale = chosen.images / part
    print(
        f"{chosen.images} images, {WORKERS} workers, store of {size / 1e6:.0f} MB; lists of {part},"
        f" times {scale:g}"
    )
    print(f"rows read per second, all workers: store {store['rows'] / store['seconds']:.0f}")
    names = f"{'no boxes':>10}{'store':>10}{'lists':>10}{'store adds':>12}{'lists add':>12}"
    print(f"{'MB':<18}{names}{'lists / store':>15}")
    for what in ("PSS of a worker", "USS of a worker", "PSS of all", "USS of all"):
        base, ours = without[what] / 1e6, store[what] / 1e6
        added, listed = ours - base, (lists[what] / 1e6 - base) * scale
        ratio = f"{listed / added:8.1f}" if added > 10 else f"{'-':>8}"
        columns = f"{base:10.0f}{ours:10.0f}{base + listed:10.0f}{added:12.0f}{listed:12.0f}"
        print(f"{what:<18}{columns}{ratio}")


if __name__ == "__main__":
    main()
