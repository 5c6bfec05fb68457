"""Samples per second on one core: ours, and PIL with torchvision's classic transforms.

Both read the same JPEG files (photographs, quality 90) and follow the same plans of crops, boxes
and colour changes. They alternate by image; the table has medians over the rounds. A second table
shows where our time goes.
"""

import argparse
import dataclasses
import io
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One core: numerical libraries must not use others while they are timed.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import cv2
import torch
from common import photograph_store, recipe
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms import functional

from soco.data import decode_reduced
from soco.pretrain.views import ViewDataset, ViewPlan
from soco.pretrain.views.colours import MEAN, STD, Colours, normalise, recolour
from soco.pretrain.views.plan import largest_reduction
from soco.pretrain.views.resize import resize

RECIPES = {"FPN 100": "fpn_100", "SoCo*": "star_400"}
# Name, size, and whether JPEGs are decoded reduced.
SETS = (
    ("500 x 375", (500, 375), False),
    ("2000 x 1500", (2000, 1500), False),
    ("reduced", (2000, 1500), True),
)
IMAGES = 16

_ADJUST = {
    name: getattr(functional, f"adjust_{name}")
    for name in ("brightness", "contrast", "saturation", "hue")
}


def classic_sample(dataset: ViewDataset, place: tuple[int, int]) -> list[Tensor]:
    """Make the views of an image by PIL and torchvision's transforms of PIL images."""
    plan = dataset.plan(place)
    data = dataset.source.read(dataset.store.entry(place[1]))
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return [classic_view(image, view) for view in plan.views]


def classic_view(image: Image.Image, view: ViewPlan) -> Tensor:
    """Crop, resize, flip, jitter, grey, blur, solarize, normalise and cut out one view."""
    crop, colours = view.crop, view.colours
    size = [view.size, view.size]
    shown = functional.resized_crop(image, crop.top, crop.left, crop.height, crop.width, size)
    if view.flipped:
        shown = functional.hflip(shown)
    for name, amount in colours.jitter:
        shown = _ADJUST[name](shown, amount)
    if colours.grey:
        shown = functional.to_grayscale(shown, num_output_channels=3)
    if colours.blur is not None:
        shown = shown.filter(ImageFilter.GaussianBlur(colours.blur))
    if colours.solarize:
        shown = functional.solarize(shown, 128)
    normalised = functional.normalize(functional.to_tensor(shown), MEAN, STD)
    for hole in view.holes:
        normalised[:, hole.top : hole.top + hole.height, hole.left : hole.left + hole.width] = 0
    return normalised


def compare(dataset: ViewDataset, rounds: int) -> tuple[float, float, float]:
    """Samples per second of ours and of the peer, and their ratio; medians over rounds."""
    ours, theirs = [], []
    for epoch in range(rounds + 1):
        seconds = [0.0, 0.0]
        for number in range(len(dataset)):
            for which, sample in enumerate(
                (dataset.__getitem__, lambda place: classic_sample(dataset, place))
            ):
                start = time.perf_counter()
                sample((epoch, number))
                seconds[which] += time.perf_counter() - start
        if epoch:  # the first round warms caches
            ours.append(len(dataset) / seconds[0])
            theirs.append(len(dataset) / seconds[1])
    ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


def parts(dataset: ViewDataset, rounds: int) -> dict[str, float]:
    """Milliseconds per sample of each part of our work: medians over rounds of mean times."""
    means: dict[str, list[float]] = defaultdict(list)
    for epoch in range(rounds):
        spent: dict[str, float] = defaultdict(float)
        for number in range(len(dataset)):
            _walk(dataset, (epoch, number), spent)
        for name, seconds in spent.items():
            means[name].append(seconds / len(dataset) * 1e3)
    return {name: statistics.median(values) for name, values in means.items()}


def _walk(dataset: ViewDataset, place: tuple[int, int], spent: dict[str, float]) -> None:
    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        result = work(*arguments)
        spent[name] += time.perf_counter() - start
        return result

    plan = timed("crops, boxes", dataset.plan, place)
    entry = dataset.store.entry(place[1])
    data = timed("read", dataset.source.read, entry)
    reduction = largest_reduction(plan) if dataset.settings.reduced_decoding else 1
    image = timed("decode", decode_reduced, data, reduction)
    for view in plan.views:
        crop, by = view.crop, image.reduction
        part = (
            crop.left / by,
            crop.top / by,
            (crop.left + crop.width) / by,
            (crop.top + crop.height) / by,
        )
        shown = timed("crop, resize", resize, image.rgb, part, view.size, view.flipped)
        timed("colours", recolour, shown, dataclasses.replace(view.colours, blur=None))
        timed("blur", recolour, shown, Colours(blur=view.colours.blur))
        timed("normalise", normalise, shown)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=15, help="rounds over the small images; a fifth for large"
    )
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    rows = []
    print(f"{'JPEG':<14}{'recipe':<10}{'ours /s':>9}{'PIL, torchvision /s':>21}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            size: photograph_store(Path(folder, str(size[0])), size, IMAGES)
            for _, size, _ in SETS[:2]
        }
        for name, size, reduced in SETS:
            for title, file in RECIPES.items():
                settings = recipe(file).model_copy(update={"reduced_decoding": reduced})
                dataset = ViewDataset(*stores[size], settings, seed=0)
                turns = rounds if size == SETS[0][1] else max(3, rounds // 5)
                ours, theirs, ratio = compare(dataset, turns)
                print(f"{name:<14}{title:<10}{ours:9.0f}{theirs:21.0f}{ratio:8.2f}", flush=True)
                rows.append((f"{name}, {title}", parts(dataset, turns)))
    names = list(rows[0][1])
    print(f"\n{'ms per sample':<22}" + "".join(f"{name:>14}" for name in names))
    for name, spent in rows:
        print(f"{name:<22}" + "".join(f"{spent[part]:14.3f}" for part in names))


if __name__ == "__main__":
    main()
