"""What every engine gives on one annotated image, and what its boxes are worth there."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soco.boxes import rects_to_boxes
from soco.config import FilterConfig, ProposalsConfig
from soco.data import UnreadableImageError, read_rgb
from soco.proposals.engines import search
from soco.proposals.filters import Rects, proposals_of
from soco.proposals.quality.annotated import AnnotatedImage
from soco.proposals.quality.draws import expected_recall, overlap

Sums = npt.NDArray[np.float64]

DRAWN = (1, 4, 10, 30, 100, 300, 1000)
THRESHOLDS = (0.5, 0.7)


@dataclass(frozen=True)
class Search:
    """What one engine gave on one image.

    Attributes:
        seconds: Time of the search.
        boxes: How many proposals, and how many regions.
        found: (2, K + 1, T) sums over the image's objects, proposals first; the last of K + 1 is
            all boxes.
        best: (2, K + 1) the same for the best overlap.
    """

    seconds: float
    boxes: tuple[int, int]
    found: Sums
    best: Sums


def search_annotated(
    image: AnnotatedImage, engines: Sequence[str], proposals: ProposalsConfig, filters: FilterConfig
) -> list[Search] | str:
    """Search one image with every engine, and weigh its proposals and its regions.

    Args:
        image: The image with its objects.
        engines: Names of the engines.
        proposals: Parameters of the engine `soco`.
        filters: Filter and fallbacks.

    Returns:
        One result an engine; the reason where the image cannot be read.
    """
    try:
        rgb = read_rgb(image.path)
    except UnreadableImageError as error:
        return str(error)
    return [_search_one(rgb, image, engine, proposals, filters) for engine in engines]


def _search_one(
    rgb: npt.NDArray[np.uint8],
    image: AnnotatedImage,
    engine: str,
    proposals: ProposalsConfig,
    filters: FilterConfig,
) -> Search:
    height, width = rgb.shape[:2]
    start = time.perf_counter()
    regions = search(rgb, engine, proposals)[:, :4]
    seconds = time.perf_counter() - start
    _, kept = proposals_of(regions, (width, height), filters)
    worths = [_worth(image, rects, (width, height)) for rects in (kept, regions)]
    found, best = (np.stack(parts) for parts in zip(*worths, strict=True))
    return Search(seconds, (len(kept), len(regions)), found, best)


def _worth(image: AnnotatedImage, rects: Rects, size: tuple[int, int]) -> tuple[Sums, Sums]:
    """Sums over an image's objects: (K + 1, T) found, (K + 1,) best overlap."""
    boxes = rects_to_boxes(rects if len(rects) else np.array([[0, 0, *size]]))
    worth = expected_recall(overlap(image.objects, boxes), (*DRAWN, len(boxes)), THRESHOLDS)
    return worth.found.sum(axis=2), worth.best.sum(axis=1)
