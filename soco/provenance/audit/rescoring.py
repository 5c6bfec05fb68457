"""Score stored detections with pycocotools and lvis alone, without the evaluation's own code."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import lvis
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from soco.data.checks.categories import names_apart
from soco.data.coco import no_coco_detections, no_lvis_detections

Scores = dict[str, Any]

_PARTS = {"box": "bbox", "mask": "segm"}
_LVIS_METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")


def rescore(detections: Path, annotations: Path, form: str, limit: int) -> Scores:
    """Score detections.

    Args:
        detections: Detections in COCO's result format.
        annotations: The ground truth.
        form: `coco` or `lvis`.
        limit: Number of detections per image that count, those with the highest scores.

    Returns:
        `box` and `mask` by metric, from 0 to 100, None if there are no objects; `per_category` by
        name, each with `box` and `mask`.
    """
    detected = json.loads(detections.read_text())
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        labelled = COCO(str(annotations)) if form == "coco" else lvis.LVIS(str(annotations))
        parts = {
            part: _score(detected, labelled, theirs, form, limit) for part, theirs in _PARTS.items()
        }
    per_category = {
        name: {part: by_category.get(key) for part, (_, by_category) in parts.items()}
        for key, name in names_apart(labelled.dataset["categories"]).items()
    }
    return {part: metrics for part, (metrics, _) in parts.items()} | {"per_category": per_category}


def _score(
    detected: list[dict[str, Any]], labelled: Any, kind: str, form: str, limit: int
) -> tuple[Scores, dict[int, float | None]]:
    """All metrics, and AP by category."""
    # If a detection has a box, pycocotools takes the box's area instead of the mask's.
    own = [
        {key: value for key, value in one.items() if kind == "bbox" or key != "bbox"}
        for one in detected
    ]
    by = _by_coco if form == "coco" else _by_lvis
    return by(own, labelled, kind, limit)


def _by_coco(
    detected: list[dict[str, Any]], labelled: COCO, kind: str, limit: int
) -> tuple[Scores, dict[int, float | None]]:
    evaluation = COCOeval(
        labelled, labelled.loadRes(detected) if detected else no_coco_detections(labelled), kind
    )
    evaluation.params.maxDets = [limit]
    evaluation.evaluate()
    evaluation.accumulate()  # not summarize: it supports a limit of 100 detections only
    # Axes: IoU, recall, category, area range (the first is all), limit of detections.
    precision, thresholds = evaluation.eval["precision"][..., 0], evaluation.params.iouThrs
    ranges = dict(zip(("APs", "APm", "APl"), range(1, 4), strict=True))
    metrics = {
        "AP": _mean(precision[..., 0]),
        "AP50": _mean(precision[thresholds == 0.5, ..., 0]),
        "AP75": _mean(precision[thresholds == 0.75, ..., 0]),
        **{name: _mean(precision[..., index]) for name, index in ranges.items()},
    }
    return metrics, _means(precision[..., 0], evaluation.params.catIds)


def _by_lvis(
    detected: list[dict[str, Any]], labelled: lvis.LVIS, kind: str, limit: int
) -> tuple[Scores, dict[int, float | None]]:
    if not hasattr(np, "float"):  # lvis uses it, but NumPy 1.24 removed it
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001
    detections = (
        lvis.LVISResults(labelled, detected, max_dets=limit)
        if detected
        else no_lvis_detections(labelled)
    )
    evaluation = lvis.LVISEval(labelled, detections, kind)
    evaluation.run()
    metrics = {name: _percent(evaluation.results[name]) for name in _LVIS_METRICS}
    return metrics, _means(evaluation.eval["precision"][:, :, :, 0], evaluation.params.cat_ids)


def _means(precision: np.ndarray, keys: list[int]) -> dict[int, float | None]:
    """AP of each category."""
    # (T, R, K) -> (K, T, R).
    return {
        key: _mean(values) for key, values in zip(keys, np.moveaxis(precision, 2, 0), strict=True)
    }


def _mean(precision: np.ndarray) -> float | None:
    """AP: the mean over IoU thresholds, recalls and categories; -1 marks those without objects."""
    scored = precision[precision > -1]
    return float(100 * scored.mean()) if scored.size else None


def _percent(value: float) -> float | None:
    return None if value < 0 else float(100 * value)
