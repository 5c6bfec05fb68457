"""Recall: how many annotated objects the boxes of each engine find, against how many boxes are drawn."""

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
from soco.progress import progress
from soco.quality.annotated import annotated_pictures
from soco.quality.annotated_search import DRAWN, THRESHOLDS, Search, search_annotated
from soco.stores.files import write_json

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
    """Search annotated pictures with every engine, and tell how well the boxes cover the objects.

    Boxes are those that training sees: filtered, with the fallbacks, in `rects_to_boxes`' coordinates, duplicates
    kept, and the whole picture where none is left. Training draws k of them at random, so that the figures at k are
    expectations over that draw; `soco.quality.draws` has the formulas.

    Args:
        split: Pictures and annotations, COCO or LVIS format.
        quality: How many pictures, and which engines.
        proposals: Parameters of the engine `soco`.
        filters: Filter and fallbacks.
        jobs: Processes to spread the pictures over.
        output: Receives the result as JSON, which is returned as well.

    Returns:
        `pictures`, `objects`, `unreadable` (pictures left out), `drawn` (the numbers k), and `engines`: one entry
        each with `engine`, `seconds` (median of a picture's search on this machine), and for `proposals` and
        `regions` the `boxes` a picture (mean), and `recall_50`, `recall_70` and `abo`, each with a list `drawn` (at
        each k) and a number `all` (at all boxes). They are means over objects: `abo`, the average best overlap, is
        the mean over all objects of the best IoU, and not a mean of categories' means.

    Raises:
        UserError: The annotations cannot be read, or none of the pictures can.
    """
    chosen = evenly(annotated_pictures(split), quality.pictures)
    work = joblib.delayed(partial(search_annotated, engines=quality.engines, proposals=proposals, filters=filters))
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    results = list(progress(parallel(work(picture) for picture in chosen), len(chosen), "recall"))
    pairs = list(zip(chosen, results, strict=True))
    read = [(picture, result) for picture, result in pairs if not isinstance(result, str)]
    for picture, reason in pairs:
        if isinstance(reason, str):
            log.warning("left %s out: %s", picture.path, reason)
    if not read:
        raise UserError(
            f"None of the {len(chosen)} pictures chosen from {split.images} can be read, the first since {results[0]}; "
            "correct `images` of this set in `datasets`."
        )
    objects = sum(len(picture.objects) for picture, _ in read)
    measured = {
        "pictures": len(read),
        "objects": objects,
        "unreadable": len(chosen) - len(read),
        "drawn": list(DRAWN),
        "engines": [
            {"engine": engine, **_summary([result[number] for _, result in read], objects)}
            for number, engine in enumerate(quality.engines)
        ],
    }
    write_json(output, measured)
    return measured


def _summary(searches: list[Search], objects: int) -> dict[str, Any]:
    found = np.sum([one.found for one in searches], axis=0) / objects
    best = np.sum([one.best for one in searches], axis=0) / objects
    kinds = {}
    for number, kind in enumerate(KINDS):
        measures = {f"recall_{100 * t:.0f}": found[number, :, place] for place, t in enumerate(THRESHOLDS)}
        kinds[kind] = {
            "boxes": float(np.mean([one.boxes[number] for one in searches])),
            **{name: _at_k(values) for name, values in (measures | {"abo": best[number]}).items()},
        }
    return {"seconds": float(np.median([one.seconds for one in searches])), **kinds}


def _at_k(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {"drawn": values[:-1].tolist(), "all": float(values[-1])}
