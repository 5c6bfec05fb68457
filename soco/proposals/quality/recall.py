"""Recall: how many annotated objects each engine's boxes find, by the number of boxes drawn."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig
from soco.data import UnreadableImageError, read_rgb
from soco.errors import UserError
from soco.io import Origin, write_json
from soco.progress import progress
from soco.proposals.boxes import Rects, pairwise_iou, rects_to_boxes
from soco.proposals.choice import evenly
from soco.proposals.engines import search
from soco.proposals.filters import proposals_of
from soco.proposals.quality.annotated import AnnotatedImage, annotated_images
from soco.proposals.quality.expected_recall import expected_recall

log = logging.getLogger(__name__)

Sums = npt.NDArray[np.float64]

KINDS = ("proposals", "regions")
# SoCo draws 4 boxes of an image.
DRAWN = (1, 4, 10, 30, 100, 300, 1000)
THRESHOLDS = (0.5, 0.7)


@dataclass(frozen=True)
class RecallJob:
    """The measurement on one annotated set.

    Attributes:
        split: Images and annotations, in COCO or LVIS format.
        quality: How many images, and which engines.
        proposals: Parameters of the engine `soco`.
        filters: Filter and fallbacks.
        jobs: Processes that search at once.
        output: Receives the result as JSON.
        origin: What makes the file.
    """

    split: SplitConfig
    quality: QualityConfig
    proposals: ProposalsConfig
    filters: FilterConfig
    jobs: int
    output: str | Path
    origin: Origin | None = None


@dataclass(frozen=True)
class _Search:
    """The result of one engine on one image.

    Attributes:
        seconds: Time of the search.
        boxes: Number of proposals, and of regions.
        found: (2, K + 1, T) sums of recall over the image's objects, for proposals and for regions;
            the last of K + 1 is for all boxes.
        best: (2, K + 1) the same for the best IoU.
    """

    seconds: float
    boxes: tuple[int, int]
    found: Sums
    best: Sums


def measure_recall(job: RecallJob) -> dict[str, Any]:
    """Search annotated images with every engine, and measure how well the boxes cover the objects.

    Boxes are those of pretraining: filtered, with the fallbacks, in the coordinates of
    `rects_to_boxes`, with duplicates, and the whole image if none is left. Pretraining draws k
    of them at random, so the values at k are expectations over that draw, see `expected_recall`.

    Returns:
        The content of `job.output`: `images`, `objects`, `unreadable` (images left out), `drawn`
        (the numbers k), and `engines`, with an entry for each: `engine`, `seconds` (median search
        time of an image on this machine), and for both `proposals` and `regions` the mean number of
        `boxes` per image and `recall_50`, `recall_70` and `abo`, each with a list `drawn` (at each
        k) and a number `all` (at all boxes). They are means over objects: `abo`, the average best
        overlap, is the mean of the best IoU over all objects, not the mean of categories' means.

    Raises:
        UserError: The annotations cannot be read, or none of the images can.
    """
    engines = job.quality.engines
    chosen = evenly(annotated_images(job.split), job.quality.images)
    work = partial(_search_image, engines=engines, proposals=job.proposals, filters=job.filters)
    parallel = joblib.Parallel(n_jobs=job.jobs, return_as="generator")
    searched = parallel(joblib.delayed(work)(image) for image in chosen)
    results = list(progress(searched, len(chosen), "recall"))
    read: list[tuple[AnnotatedImage, list[_Search]]] = []
    for image, result in zip(chosen, results, strict=True):
        if isinstance(result, str):
            log.warning("left out %s: %s", image.path, result)
        else:
            read.append((image, result))
    if not read:
        raise UserError(
            "quality.no_readable_image",
            "None of the {count} images chosen from {folder} can be read (the first: {reason});"
            " correct `images` of this set in `datasets`.",
            count=len(chosen),
            folder=job.split.images,
            reason=results[0],
        )
    objects = sum(len(image.objects) for image, _ in read)
    measured = {
        "images": len(read),
        "objects": objects,
        "unreadable": len(chosen) - len(read),
        "drawn": list(DRAWN),
        "engines": [
            {"engine": engine, **_summary([result[number] for _, result in read], objects)}
            for number, engine in enumerate(engines)
        ],
    }
    write_json(job.output, measured, job.origin)
    return measured


def _search_image(
    image: AnnotatedImage, engines: Sequence[str], proposals: ProposalsConfig, filters: FilterConfig
) -> list[_Search] | str:
    """Search an image with each engine; return the reason if it cannot be read."""
    try:
        rgb = read_rgb(image.path)
    except UnreadableImageError as error:
        return str(error)
    size = rgb.shape[1], rgb.shape[0]
    results = []
    for engine in engines:
        start = time.perf_counter()
        regions = search(rgb, engine, proposals)[:, :4]
        seconds = time.perf_counter() - start
        _, kept = proposals_of(regions, size, filters)
        sums = [_sums_over_objects(image, rects, size) for rects in (kept, regions)]
        # (2, K + 1, T) and (2, K + 1).
        found, best = (np.stack(parts) for parts in zip(*sums, strict=True))
        results.append(_Search(seconds, (len(kept), len(regions)), found, best))
    return results


def _sums_over_objects(
    image: AnnotatedImage, rects: Rects, size: tuple[int, int]
) -> tuple[Sums, Sums]:
    """Sum recall, (K + 1, T), and best IoU, (K + 1,), over an image's objects."""
    boxes = rects_to_boxes(rects if len(rects) else np.array([[0, 0, *size]]))
    overlaps = pairwise_iou(image.objects, boxes)  # (G, R)
    # The last k, all boxes, is the upper bound: nothing is left to chance.
    expected = expected_recall(overlaps, (*DRAWN, len(boxes)), THRESHOLDS)
    return expected.found.sum(axis=2), expected.best.sum(axis=1)


def _summary(searches: list[_Search], objects: int) -> dict[str, Any]:
    found = np.sum([one.found for one in searches], axis=0) / objects
    best = np.sum([one.best for one in searches], axis=0) / objects
    kinds = {}
    for number, kind in enumerate(KINDS):
        measures = {
            f"recall_{100 * t:.0f}": found[number, :, place] for place, t in enumerate(THRESHOLDS)
        }
        kinds[kind] = {
            "boxes": float(np.mean([one.boxes[number] for one in searches])),
            **{name: _at_k(values) for name, values in (measures | {"abo": best[number]}).items()},
        }
    # The median, because a process's first search also loads or compiles the loops.
    return {"seconds": float(np.median([one.seconds for one in searches])), **kinds}


def _at_k(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {"drawn": values[:-1].tolist(), "all": float(values[-1])}
