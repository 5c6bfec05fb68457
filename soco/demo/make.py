"""Makes all of the demo's data in one call."""

import csv
import shutil
from pathlib import Path

from soco.config.schema import DemoConfig
from soco.demo.annotations import write_coco, write_lvis
from soco.demo.compose import compose_split
from soco.demo.cutouts import write_cutouts
from soco.demo.images import write_images
from soco.demo.photographs import PHOTOGRAPHS, SPLITS, path_of
from soco.demo.plan import plan_split
from soco.errors import UserError
from soco.io import atomic_write


def make_demo(settings: DemoConfig, seed: int) -> None:
    """Writes the demo's images and annotations below `settings.path`; the same bytes for the same
    seed.

    `images/SCENE/*.jpg` are unlabelled; `shapes/train` and `shapes/val` hold the composed images,
    which `shapes/coco_SPLIT.json` annotates with six categories and `shapes/lvis_v1_SPLIT.json`
    with sixteen. `classes/SPLIT/CATEGORY` holds some of their objects, cut out. `sources.csv` lists
    the photographs.

    Args:
        settings: Where, how many and how large.
        seed: Decides every draw.

    Raises:
        UserError: A photograph's package is missing, or the folder holds images that are not the
            demo's.
    """
    for photograph in PHOTOGRAPHS:
        path_of(photograph)
    root = Path(settings.path)
    _clear(root)
    write_sources(root / "sources.csv")
    write_images(root / "images", settings.images, settings.image_side, seed)
    _write_shapes(root, settings, seed)


def write_sources(path: Path) -> None:
    """Writes one CSV row a photograph.

    File, package, scene, split, and its origin as the package states it.
    """
    with atomic_write(path) as temporary, temporary.open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["file", "package", "scene", "split", "note"])
        rows.writerows([p.file, p.package, p.scene, p.split, p.note] for p in PHOTOGRAPHS)


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
    """Removes an earlier demo's images, so that none are left over when fewer are made."""
    folders = [
        root / "images",
        *(root / part / split for part in ("shapes", "classes") for split in SPLITS),
    ]
    for folder in folders:
        if not folder.is_dir():
            continue
        # sources.csv is the first file written: without it, the folder is somebody else's.
        if any(folder.iterdir()) and not (root / "sources.csv").is_file():
            raise UserError(
                f"{folder} holds files that the demo did not make: set demo.path to another folder."
            )
        shutil.rmtree(folder)
