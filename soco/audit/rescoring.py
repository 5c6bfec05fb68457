"""AP of stored detections, by pycocotools and lvis themselves: nothing of the evaluation's own code is used."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import lvis
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

Scores = dict[str, Any]

_PARTS = {"box": "bbox", "mask": "segm"}
_COCO_FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
_LVIS_FIGURES = (*_COCO_FIGURES, "APr", "APc", "APf")


def rescore(detections: Path, annotations: Path, form: str) -> Scores:
    """Score detections.

    Args:
        detections: COCO's result format.
        annotations: The labelled objects.
        form: `coco` or `lvis`.

    Returns:
        `box` and `mask` by figure, from 0 to 100, None where there is nothing to score; `per_category` by name, each
        with `box` and `mask`.
    """
    found = json.loads(detections.read_text())
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        labelled = COCO(str(annotations)) if form == "coco" else lvis.LVIS(str(annotations))
        parts = {part: _score(found, labelled, theirs, form) for part, theirs in _PARTS.items()}
    names = {category["id"]: category["name"] for category in labelled.dataset["categories"]}
    per_category = {
        str(name): {part: by_category.get(key) for part, (_, by_category) in parts.items()}
        for key, name in names.items()
    }
    return {part: figures for part, (figures, _) in parts.items()} | {"per_category": per_category}


def _score(found: list[dict[str, Any]], labelled: Any, kind: str, form: str) -> tuple[Scores, dict[int, float | None]]:
    """The figures, and AP by category."""
    if not found:
        return dict.fromkeys(_COCO_FIGURES if form == "coco" else _LVIS_FIGURES), {}
    # With a box in it, a detection's area would be the box's and not its mask's.
    own = [{key: held for key, held in one.items() if kind == "bbox" or key != "bbox"} for one in found]
    return _by_coco(own, labelled, kind) if form == "coco" else _by_lvis(own, labelled, kind)


def _by_coco(found: list[dict[str, Any]], labelled: COCO, kind: str) -> tuple[Scores, dict[int, float | None]]:
    evaluation = COCOeval(labelled, labelled.loadRes(found), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    figures = {name: _percent(evaluation.stats[place]) for place, name in enumerate(_COCO_FIGURES)}
    # IoU, recall, category, area (all), most detections (100).
    return figures, _means(evaluation.eval["precision"][:, :, :, 0, -1], evaluation.params.catIds)


def _by_lvis(found: list[dict[str, Any]], labelled: lvis.LVIS, kind: str) -> tuple[Scores, dict[int, float | None]]:
    if not hasattr(np, "float"):  # which lvis asks for, and NumPy dropped
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001
    evaluation = lvis.LVISEval(labelled, lvis.LVISResults(labelled, found), kind)
    evaluation.run()
    figures = {name: _percent(evaluation.results[name]) for name in _LVIS_FIGURES}
    return figures, _means(evaluation.eval["precision"][:, :, :, 0], evaluation.params.cat_ids)


def _means(precision: np.ndarray, keys: list[int]) -> dict[int, float | None]:
    """AP of each category: the mean over IoU thresholds and recalls; -1 is for what has nothing to score."""
    columns = np.moveaxis(precision, 2, 0)
    return {
        key: _percent(values[values > -1].mean()) if (values > -1).any() else None
        for key, values in zip(keys, columns, strict=True)
    }


def _percent(value: float) -> float | None:
    return None if value < 0 else float(100 * value)
