"""detectron2's COCO and LVIS evaluators, which count what the detector may report, and score no detections as 0."""

from collections.abc import Sequence
from typing import Any

import lvis
import numpy as np
from detectron2.evaluation import COCOEvaluator, LVISEvaluator
from detectron2.evaluation.coco_evaluation import COCOevalMaxDets

from soco.data.coco import no_coco_detections, no_lvis_detections
from soco.transfer.detect.compat import remembered_lvis, restore_numpy_float
from soco.transfer.detect.datasets import Form

_TASKS = ("bbox", "segm")

Precision = tuple[Sequence[int], np.ndarray]
"""Ids of categories, and (IoU thresholds, recalls, categories, size ranges); -1: no object.

The first size range is that of all sizes.
"""


class CocoScorer(COCOEvaluator):
    """detectron2's, which drops what it evaluates, and reports AP by the names of categories, of
    which two may be one.

    Attributes:
        precision: By `bbox` and `segm`, once they are evaluated.
    """

    def __init__(self, name: str, folder: str | None, limit: int) -> None:
        super().__init__(name, tasks=_TASKS, distributed=True, output_dir=folder)
        self._max_dets_per_image = _limits(limit)
        self.precision: dict[str, Precision] = {}

    def _derive_coco_results(
        self, coco_eval: Any, iou_type: str, class_names: list[str] | None = None
    ) -> Any:
        # None where nothing was detected, which detectron2 does not score.
        made = self._of_nothing(iou_type) if coco_eval is None else coco_eval
        self.precision[iou_type] = (
            made.params.catIds,
            made.eval["precision"][..., -1],
        )  # with the most detections
        return super()._derive_coco_results(made, iou_type, class_names)

    def _of_nothing(self, iou_type: str) -> COCOevalMaxDets:
        evaluation = COCOevalMaxDets(self._coco_api, no_coco_detections(self._coco_api), iou_type)
        evaluation.params.maxDets = self._max_dets_per_image
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return evaluation


class LvisScorer(LVISEvaluator):
    """detectron2's, which drops what it evaluates.

    Attributes:
        precision: By `bbox` and `segm`, once they are evaluated; nothing where the set has no
            object at all.
    """

    def __init__(self, name: str, folder: str | None, limit: int) -> None:
        restore_numpy_float()
        super().__init__(
            name, tasks=_TASKS, distributed=True, output_dir=folder, max_dets_per_image=limit
        )
        self.precision: dict[str, Precision] = {}

    def _eval_predictions(self, predictions: list[dict[str, Any]]) -> None:
        with remembered_lvis(self._max_dets_per_image) as made:
            super()._eval_predictions(predictions)
            if (
                not made and self._do_evaluation
            ):  # nothing was detected, which detectron2 does not score
                self._score_nothing()
        self.precision = {
            each.params.iou_type: (each.params.cat_ids, each.eval["precision"]) for each in made
        }

    def _score_nothing(self) -> None:
        for task in _TASKS:
            evaluation = lvis.LVISEval(self._lvis_api, no_lvis_detections(self._lvis_api), task)
            evaluation.run()
            self._results[task] = {
                name: 100 * float(value) for name, value in evaluation.get_results().items()
            }


def evaluator_of(form: Form, name: str, folder: str | None, limit: int) -> CocoScorer | LvisScorer:
    """The evaluator of a registered set.

    Args:
        form: The set's format.
        name: Its name in detectron2's catalogue.
        folder: Receives the detections in detectron2's own file; None keeps none.
        limit: Most detections an image that AP counts.
    """
    return (CocoScorer if form == "coco" else LvisScorer)(name, folder, limit)


def _limits(limit: int) -> list[int]:
    """COCO's 1 and 10 detections an image, for its recalls, and ours.

    Each once, for a mean over one twice rounds.
    """
    fewer = [count for count in (1, 10) if count < limit]
    return [*[0] * (2 - len(fewer)), *fewer, limit]
