"""The private parts of detectron2, lvis and torch that we use.

Only the C4 head of `architectures.py` uses one elsewhere. Each use has a test in
`tests/transfer/detect/test_compat.py` that fails when the library changes.
"""

import contextlib
import functools
import logging
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import detectron2.engine.defaults as engine
import lvis
import numpy as np
import torch
from detectron2.data import DatasetMapper
from detectron2.engine import DefaultTrainer, hooks
from detectron2.evaluation import COCOEvaluator, LVISEvaluator
from detectron2.evaluation.coco_evaluation import COCOevalMaxDets, instances_to_coco_json
from detectron2.structures import Instances

from soco.data.coco import no_coco_detections, no_lvis_detections
from soco.errors import UserError
from soco.transfer.detect.masks import encode_masks

Precision = tuple[Sequence[int], np.ndarray]
"""Category ids, and (IoU thresholds, recalls, categories, size ranges); -1: no object.

The first size range is that of all sizes.
"""

_TASKS = ("bbox", "segm")
_USER_ERROR = f"{UserError.__module__}.{UserError.__name__}: "


@contextlib.contextmanager
def unwrap_user_errors() -> Iterator[None]:
    """Raise a `UserError` of another process as if it had been raised here.

    torch's data loaders and spawned processes pass an error on as the text of its traceback, which
    ends in the message.
    """
    try:
        yield
    except (UserError, torch.multiprocessing.ProcessRaisedException) as error:
        _, mark, sentence = str(error).rpartition(_USER_ERROR)
        if not mark:
            raise
        raise UserError("detect.in_worker", "{sentence}", sentence=sentence.strip()) from None


def allow_ddp_on_cpu() -> None:
    """Let detectron2's trainer run in several processes on CPUs.

    It passes a GPU number to DistributedDataParallel, which CPUs do not have.
    """
    engine.create_ddp_model = functools.partial(engine.create_ddp_model, device_ids=None)


def silence_loop_tracebacks() -> None:
    """Keep detectron2's loop from logging the traceback of an exception that it raises again."""
    logging.getLogger("detectron2.engine.train_loop").addFilter(
        lambda record: record.exc_info is None
    )


@contextlib.contextmanager
def silence_loading_warnings() -> Iterator[None]:
    """Keep the checkpointer from warning about every tensor that is missing in a file."""
    logger = logging.getLogger("fvcore.common.checkpoint")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def replace_data_loader(trainer: DefaultTrainer, build: Callable[[], Iterable[Any]]) -> None:
    """Let a trainer continue with another loader.

    detectron2 builds the loader before it knows from which iteration it resumes.
    """
    trainer._trainer.reset_data_loader(build)


class PreciseBN(hooks.PreciseBN):
    """detectron2's PreciseBN, over the same images each time.

    detectron2 continues in its loader, whose position no checkpoint has.
    """

    def update_stats(self) -> None:
        """Recompute the statistics over the loader's first batches."""
        # detectron2's hook then begins the loader again.
        self._data_iter = None
        super().update_stats()


def transform_annotations(
    mapper: DatasetMapper, record: dict[str, Any], transforms: Any, size: tuple[int, int]
) -> None:
    """Apply an image's augmentation to its annotations, and set `instances` of the record.

    Args:
        mapper: detectron2's mapper.
        record: A record in detectron2's format.
        transforms: The augmentation that was applied to the image.
        size: Height and width of the augmented image.
    """
    mapper._transform_annotations(record, transforms, size)


class _BatchEvaluator:
    """What both evaluators share: detections of batches, whose images may come in any order."""

    _predictions: list[dict[str, Any]]

    def process(self, inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of a batch in COCO's result format."""
        for entry, output in zip(inputs, outputs, strict=True):
            key = entry["image_id"]
            found = _in_coco_format(output["instances"].to("cpu"), key)
            self._predictions.append({"image_id": key, "instances": found})

    def evaluate(self) -> Any:
        """Score the detections, in the order of the set, which detectron2 sorts by id."""
        self._predictions.sort(key=operator.itemgetter("image_id"))
        return super().evaluate()  # type: ignore[misc]


def _in_coco_format(found: Instances, key: int) -> list[dict[str, Any]]:
    """detectron2's list of detections; it encodes masks one by one, which takes longer."""
    masks = encode_masks(found.pred_masks)
    found.remove("pred_masks")
    listed = instances_to_coco_json(found, key)
    return [_Detection(entry, segmentation=mask) for entry, mask in zip(listed, masks, strict=True)]


class _Detection(dict[str, Any]):
    """A detection whose copies share its box and mask.

    Before it scores masks, detectron2 copies all detections deeply to remove their boxes. That
    takes as long as a part of the scoring, and nothing changes a box or mask in place.
    """

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Detection":
        return _Detection(self)


class CocoScorer(_BatchEvaluator, COCOEvaluator):
    """detectron2's COCO evaluator with a limit of detections, and AP 0 where nothing is detected.

    detectron2 drops the precision table, and reports AP by category names, which may be ambiguous.

    Attributes:
        precision: By `bbox` and `segm`, after the evaluation.
    """

    def __init__(self, name: str, folder: str | None, limit: int) -> None:
        super().__init__(name, tasks=_TASKS, distributed=True, output_dir=folder)
        self._max_dets_per_image = _coco_limits(limit)
        self.precision: dict[str, Precision] = {}

    def _derive_coco_results(
        self, coco_eval: Any, iou_type: str, class_names: list[str] | None = None
    ) -> Any:
        # detectron2 passes None if nothing was detected, and does not score that.
        evaluation = self._score_nothing(iou_type) if coco_eval is None else coco_eval
        # The last of the limits, with the most detections.
        precision = evaluation.eval["precision"][..., -1]
        self.precision[iou_type] = (evaluation.params.catIds, precision)
        return super()._derive_coco_results(evaluation, iou_type, class_names)

    def _score_nothing(self, iou_type: str) -> COCOevalMaxDets:
        evaluation = COCOevalMaxDets(self._coco_api, no_coco_detections(self._coco_api), iou_type)
        evaluation.params.maxDets = self._max_dets_per_image
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return evaluation


class LvisScorer(_BatchEvaluator, LVISEvaluator):
    """detectron2's LVIS evaluator, with AP 0 where nothing is detected.

    Attributes:
        precision: By `bbox` and `segm`, after the evaluation; empty if the set has no object.
    """

    def __init__(self, name: str, folder: str | None, limit: int) -> None:
        restore_numpy_float()
        super().__init__(
            name, tasks=_TASKS, distributed=True, output_dir=folder, max_dets_per_image=limit
        )
        self.precision: dict[str, Precision] = {}

    def _eval_predictions(self, predictions: list[dict[str, Any]]) -> None:
        with recorded_lvis_evals(self._max_dets_per_image) as evaluations:
            super()._eval_predictions(predictions)
            if not evaluations and self._do_evaluation:  # detectron2 does not score no detections
                self._score_nothing()
        self.precision = {
            each.params.iou_type: (each.params.cat_ids, each.eval["precision"])
            for each in evaluations
        }

    def _score_nothing(self) -> None:
        for task in _TASKS:
            evaluation = lvis.LVISEval(self._lvis_api, no_lvis_detections(self._lvis_api), task)
            evaluation.run()
            self._results[task] = {
                name: 100 * float(value) for name, value in evaluation.get_results().items()
            }


def restore_numpy_float() -> None:
    """Restore `np.float`, which NumPy 1.24 removed and lvis still uses."""
    if not hasattr(np, "float"):
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001


@contextlib.contextmanager
def recorded_lvis_evals(limit: int) -> Iterator[list[Any]]:
    """Record the LVIS evaluations that detectron2 makes and drops: only they have AP by category.

    Args:
        limit: Maximum number of detections per image, which names lvis's recalls.

    Yields:
        A list that receives every `lvis.LVISEval` made in the block.
    """
    evaluations: list[Any] = []

    class Recorded(lvis.LVISEval):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.params.max_dets = limit
            evaluations.append(self)

    original, lvis.LVISEval = lvis.LVISEval, Recorded
    try:
        yield evaluations
    finally:
        lvis.LVISEval = original


def _coco_limits(limit: int) -> list[int]:
    """COCO's 1 and 10 detections per image, for its recalls, and our limit.

    Each only once: COCO's mean over a repeated one would round differently.
    """
    fewer = [count for count in (1, 10) if count < limit]
    # COCOeval needs three limits; a 0 admits no detection and affects recalls only.
    return [*[0] * (2 - len(fewer)), *fewer, limit]
