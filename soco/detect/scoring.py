"""Scores of detections by detectron2's COCO or LVIS evaluator, for all objects and for each category."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import build_detection_test_loader
from detectron2.evaluation import COCOEvaluator, DatasetEvaluator, LVISEvaluator, inference_on_dataset

from soco.detect.annotations import Split
from soco.detect.compat import remembered_lvis, restore_numpy_float
from soco.detect.datasets import Form

_FIGURES = {
    "coco": ("AP", "AP50", "AP75", "APs", "APm", "APl"),
    "lvis": ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf"),
}
_PARTS = {"box": "bbox", "mask": "segm"}

Scores = dict[str, Any]


def score(cfg: CfgNode, model: torch.nn.Module, name: str, val: Split, form: Form, folder: str | None) -> Scores:
    """Detect on the pictures of a registered set, and score boxes and masks.

    All processes of a training take part; the first has the scores.

    Args:
        cfg: detectron2's configuration.
        model: The detector.
        name: The set's name in detectron2's catalogue.
        val: The set.
        form: Its format, which decides the evaluator.
        folder: Receives the detections in detectron2's own file; None keeps none.

    Returns:
        `box` and `mask`, each with AP and its like from 0 to 100, None where there is nothing to score;
        `per_category` by name, each with `box`, `mask` and the number of `instances`. Nothing in other processes.
    """
    evaluator = _evaluator(name, form, folder)
    with remembered_lvis() as lvis_evaluations:
        found = inference_on_dataset(model, build_detection_test_loader(cfg, name), evaluator)
    if not found:
        return {}
    figures = {part: _figures(found.get(theirs, {}), form) for part, theirs in _PARTS.items()}
    if form == "coco":
        by_category = {part: _of_coco(found.get(theirs, {}), val) for part, theirs in _PARTS.items()}
    else:
        by_type = {evaluation.params.iou_type: _of_lvis(evaluation) for evaluation in lvis_evaluations}
        by_category = {part: by_type.get(theirs, {}) for part, theirs in _PARTS.items()}
    return figures | {"per_category": _per_category(val, by_category)}


def _evaluator(name: str, form: Form, folder: str | None) -> DatasetEvaluator:
    if form == "coco":
        return COCOEvaluator(name, tasks=("bbox", "segm"), distributed=True, output_dir=folder)
    restore_numpy_float()
    return LVISEvaluator(name, tasks=("bbox", "segm"), distributed=True, output_dir=folder)


def _figures(scores: Mapping[str, float], form: Form) -> dict[str, float | None]:
    return {name: _or_none(scores.get(name)) for name in _FIGURES[form]}


def _of_coco(scores: Mapping[str, float], val: Split) -> dict[int, float | None]:
    """AP by category id: detectron2 tells it by name."""
    return {
        category: _or_none(scores.get(f"AP-{name}")) for category, name in zip(val.categories, val.classes, strict=True)
    }


def _of_lvis(evaluation: Any) -> dict[int, float | None]:
    """AP by category id: the mean precision over IoU thresholds and recalls, at objects of all sizes."""
    precision = evaluation.eval["precision"][:, :, :, 0]
    means = [np.mean(values[values > -1]) if (values > -1).any() else -1 for values in np.moveaxis(precision, 2, 0)]
    return {category: _or_none(100 * mean) for category, mean in zip(evaluation.params.cat_ids, means, strict=True)}


def _per_category(val: Split, by_part: Mapping[str, Mapping[int, float | None]]) -> dict[str, dict[str, Any]]:
    instances = Counter(entry["category_id"] for entry in val.content["annotations"] if not entry.get("iscrowd", 0))
    told = {}
    for category in sorted(val.content["categories"], key=lambda category: category["id"]):
        key = category["id"]
        figures = {part: scores.get(key) for part, scores in by_part.items()}
        frequency = {"frequency": category["frequency"]} if "frequency" in category else {}
        told[str(category["name"])] = {**figures, "instances": instances[key], **frequency}
    return told


def _or_none(value: float | None) -> float | None:
    """None for what was not scored: detectron2 says NaN, lvis -1 (times 100)."""
    return None if value is None or math.isnan(value) or value < 0 else float(value)
