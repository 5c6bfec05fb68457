"""Make all of the demo's data in one call."""

import csv
import shutil
from pathlib import Path

from soco.config.schema import DemoConfig
from soco.demo.annotations import write_coco, write_lvis
from soco.demo.compose import compose_split, compose_unlabelled, write_cutouts
from soco.demo.photographs import PHOTOGRAPHS, SPLITS, path_of
from soco.demo.plan import plan_split, plan_unlabelled
from soco.errors import UserError
from soco.io import atomic_write


def make_demo(settings: DemoConfig, seed: int) -> None:
    """Write the demo's images and annotations in `settings.path`, with the same bytes for a seed.

    One composer makes all images. `images/NNN/*.jpg` are unlabelled and distributed as the
    training images. `shapes/train` and `shapes/val` hold the labelled images, which
    `shapes/coco_SPLIT.json` annotates with six categories and `shapes/lvis_v1_SPLIT.json` with
    sixteen. `classes/SPLIT/CATEGORY` holds cut-outs of their objects, and `sources.csv` lists the
    photographs.

    Args:
        settings: Folder, numbers and sizes.
        seed: Seed of every draw.

    Raises:
        UserError: A photograph's package is missing, or the folder holds files that are not the
            demo's.
    """
    for photograph in PHOTOGRAPHS:
        path_of(photograph)
    root = Path(settings.path)
    _clear(root)
    write_sources(root / "sources.csv")
    plans = plan_unlabelled(settings.images, settings.objects, seed)
    compose_unlabelled(root / "images", plans, settings.side, seed)
    _write_shapes(root, settings, seed)


def write_sources(path: Path) -> None:
    """Write one CSV row per photograph: file, package, scene, use and origin."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["file", "package", "scene", "use", "note"])
        rows.writerows([p.file, p.package, p.scene, p.use, p.note] for p in PHOTOGRAPHS)


def _write_shapes(root: Path, settings: DemoConfig, seed: int) -> None:
    folder = root / "shapes"
    counts = {"train": settings.train, "val": settings.val}
    composed = {}
    for split in SPLITS:
        plans = plan_split(split, counts[split], settings.objects, seed)
        composed[split] = compose_split(folder / split, split, plans, settings.side, seed)
    for split in SPLITS:
        write_coco(folder / f"coco_{split}.json", composed[split], settings.side)
        write_lvis(
            folder / f"lvis_v1_{split}.json",
            split,
            composed[split],
            settings.side,
            composed["train"],
        )
        write_cutouts(root / "classes" / split, split, composed[split], folder / split)


def _clear(root: Path) -> None:
    """Remove an earlier demo's images, so that none remain when fewer are made."""
    folders = [
        root / "images",
        *(root / part / split for part in ("shapes", "classes") for split in SPLITS),
    ]
    for folder in folders:
        if not folder.is_dir():
            continue
        # sources.csv is written first: without it, the files did not come from the demo.
        if any(folder.iterdir()) and not (root / "sources.csv").is_file():
            raise UserError(
                "demo.foreign_files",
                "{folder} holds files that the demo did not make; set `demo.path` to another"
                " folder.",
                folder=folder,
            )
        shutil.rmtree(folder)
