"""Score detections with detectron2's COCO or LVIS evaluator, in total and for each category."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.evaluation import inference_on_dataset
from detectron2.utils import comm

from soco.config import FinetuneConfig
from soco.data.checks.categories import names_apart
from soco.data.coco import limit_sentences, over_limit
from soco.transfer.detect.annotations import Split
from soco.transfer.detect.compat import CocoScorer, LvisScorer, Precision
from soco.transfer.detect.datasets import Form
from soco.transfer.detect.evaluation_loader import EvaluationLoader

_METRICS = {
    "coco": ("AP", "AP50", "AP75", "APs", "APm", "APl"),
    "lvis": ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf"),
}
_PARTS = {"box": "bbox", "mask": "segm"}

_NO_OBJECTS: Precision = ([], np.empty((0, 0, 0, 1)))

Scores = dict[str, Any]


class Evaluation:
    """Scores detectors on one registered set, as often as asked, with the same workers."""

    def __init__(self, cfg: CfgNode, name: str, val: Split, form: Form) -> None:
        """Prepare the evaluation.

        Args:
            cfg: detectron2's configuration.
            name: The set's name in detectron2's catalogues.
            val: The set.
            form: Its format, which decides the evaluator.
        """
        self._cfg, self._name, self._val, self._form = cfg, name, val, form
        self._loader: EvaluationLoader | None = None  # a training may never evaluate

    def score(self, model: torch.nn.Module, folder: str | None = None) -> Scores:
        """Detect on all images, and score boxes and masks.

        All processes of a training take part; the first one returns the scores.

        Args:
            model: The detector.
            folder: Receives the detections in detectron2's own file; None writes none.

        Returns:
            `box` and `mask`, each with AP, AP50 and so on from 0 to 100: 0 where no object was
            found, None where there are no objects of that size, frequency or category;
            `per_category` by name, each with `box`, `mask` and the number of `instances`. Empty in
            other processes.
        """
        scorer = CocoScorer if self._form == "coco" else LvisScorer
        evaluator = scorer(self._name, folder, limit=self._cfg.TEST.DETECTIONS_PER_IMAGE)
        self._loader = self._loader or EvaluationLoader(self._cfg, self._name)
        results = inference_on_dataset(model, self._loader, evaluator)
        if not comm.is_main_process():
            return {}
        metrics = {
            part: _metrics(results.get(theirs, {}), self._form) for part, theirs in _PARTS.items()
        }
        by_part = {
            part: _by_category(*evaluator.precision.get(theirs, _NO_OBJECTS))
            for part, theirs in _PARTS.items()
        }
        return metrics | {"per_category": _per_category(self._val, by_part)}

    def close(self) -> None:
        """End the workers."""
        if self._loader:
            self._loader.close()


def report_limit(task: str, settings: FinetuneConfig, val: Split, form: Form) -> dict[str, int]:
    """Print a warning if `detections_per_image` limits AP or differs from the format's own limit.

    Args:
        task: Name of the fine-tuning.
        settings: Its protocol.
        val: The validation split.
        form: Its format.

    Returns:
        The counts of `soco.data.coco.over_limit`.
    """
    limit = settings.detections_per_image
    over = over_limit(val.content["annotations"], limit)
    for sentence in limit_sentences(form, limit, over, len(val.content["images"]), task):
        print(sentence, flush=True)
    return over


def _metrics(scores: Mapping[str, float], form: Form) -> dict[str, float | None]:
    return {name: _or_none(scores.get(name)) for name in _METRICS[form]}


def _by_category(categories: Sequence[int], precision: np.ndarray) -> dict[int, float | None]:
    """AP by category id: mean precision over IoU thresholds and recalls, for objects of all sizes.

    The arguments are the two parts of a `soco.transfer.detect.compat.Precision`.
    """
    # (T, R, K, A) -> all sizes, A = 0: (T, R, K) -> (K, T, R).
    scored = [values[values > -1] for values in np.moveaxis(precision[..., 0], 2, 0)]
    means = [float(np.mean(values)) if values.size else None for values in scored]
    return {
        key: None if mean is None else 100 * mean
        for key, mean in zip(categories, means, strict=True)
    }


def _per_category(
    val: Split, by_part: Mapping[str, Mapping[int, float | None]]
) -> dict[str, dict[str, Any]]:
    instances = Counter(
        entry["category_id"] for entry in val.content["annotations"] if not entry.get("iscrowd", 0)
    )
    rows = {}
    names = names_apart(val.content["categories"])
    for category in sorted(val.content["categories"], key=lambda category: category["id"]):
        key = category["id"]
        ap = {part: scores.get(key) for part, scores in by_part.items()}
        frequency = {"frequency": category["frequency"]} if "frequency" in category else {}
        rows[names[key]] = {**ap, "instances": instances[key], **frequency}
    return rows


def _or_none(value: float | None) -> float | None:
    """None for what was not scored: NaN in detectron2, -1 (times 100) in lvis."""
    return None if value is None or math.isnan(value) or value < 0 else float(value)
