"""Recall.

How many annotated objects the boxes of each engine find, against how many boxes are drawn.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from soco.choice import evenly
from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig
from soco.errors import UserError
from soco.io import write_result
from soco.progress import progress
from soco.proposals.quality.annotated import annotated_images
from soco.proposals.quality.annotated_search import DRAWN, THRESHOLDS, Search, search_annotated

log = logging.getLogger(__name__)

KINDS = ("proposals", "regions")


def measure_recall(
    split: SplitConfig,
    quality: QualityConfig,
    proposals: ProposalsConfig,
    filters: FilterConfig,
    jobs: int,
    output: str | Path,
) -> dict[str, Any]:
    """Search annotated images with every engine, and tell how well the boxes cover the objects.

    Boxes are those that training sees: filtered, with the fallbacks, in `rects_to_boxes`'
    coordinates, duplicates kept, and the whole image where none is left. Training draws k of them
    at random, so that the figures at k are expectations over that draw;
    `soco.proposals.quality.draws` has the formulas.

    Args:
        split: Images and annotations, COCO or LVIS format.
        quality: How many images, and which engines.
        proposals: Parameters of the engine `soco`.
        filters: Filter and fallbacks.
        jobs: Processes to spread the images over.
        output: Receives the result as JSON, which is returned as well.

    Returns:
        `images`, `objects`, `unreadable` (images left out), `drawn` (the numbers k), and `engines`:
        one entry each with `engine`, `seconds` (median of an image's search on this machine), and
        for `proposals` and `regions` the `boxes` an image (mean), and `recall_50`, `recall_70` and
        `abo`, each with a list `drawn` (at each k) and a number `all` (at all boxes). They are
        means over objects: `abo`, the average best overlap, is the mean over all objects of the
        best IoU, and not a mean of categories' means.

    Raises:
        UserError: The annotations cannot be read, or none of the images can.
    """
    chosen = evenly(annotated_images(split), quality.images)
    work = joblib.delayed(
        partial(search_annotated, engines=quality.engines, proposals=proposals, filters=filters)
    )
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    results = list(progress(parallel(work(image) for image in chosen), len(chosen), "recall"))
    pairs = list(zip(chosen, results, strict=True))
    read = [(image, result) for image, result in pairs if not isinstance(result, str)]
    for image, reason in pairs:
        if isinstance(reason, str):
            log.warning("left %s out: %s", image.path, reason)
    if not read:
        raise UserError(
            f"None of the {len(chosen)} images chosen from {split.images} can be read, the first"
            f" since {results[0]}; correct `images` of this set in `datasets`."
        )
    objects = sum(len(image.objects) for image, _ in read)
    measured = {
        "images": len(read),
        "objects": objects,
        "unreadable": len(chosen) - len(read),
        "drawn": list(DRAWN),
        "engines": [
            {"engine": engine, **_summary([result[number] for _, result in read], objects)}
            for number, engine in enumerate(quality.engines)
        ],
    }
    write_result(output, measured)
    return measured


def _summary(searches: list[Search], objects: int) -> dict[str, Any]:
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
    return {"seconds": float(np.median([one.seconds for one in searches])), **kinds}


def _at_k(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {"drawn": values[:-1].tolist(), "all": float(values[-1])}
