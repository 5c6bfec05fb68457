"""Score a fine-tuned detector on the validation half, with detectron2's COCO or LVIS evaluator."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import detectron2
import torch
from detectron2.config import CfgNode
from detectron2.data import build_detection_test_loader
from detectron2.evaluation import COCOEvaluator, LVISEvaluator, inference_on_dataset
from detectron2.modeling import build_model
from detectron2.utils.env import seed_all_rng

from soco.config.schema import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.detect.annotations import Split, check_lvis, read_split
from soco.detect.checkpoints import copy_whole
from soco.detect.compat import restore_numpy_float
from soco.detect.datasets import Form, register
from soco.detect.protocol import NORM, build_config
from soco.errors import UserError
from soco.stores.files import write_json

_FIGURES = {
    "coco": ("AP", "AP50", "AP75", "APs", "APm", "APl"),
    "lvis": ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf"),
}
_DETECTIONS = {"coco": "coco_instances_results.json", "lvis": "lvis_instances_results.json"}


def evaluate(
    task: str,
    initialisation: str,
    settings: FinetuneConfig,
    detector: DetectorConfig,
    dataset: DatasetConfig,
    weights: Path,
    metrics: Path,
    detections: Path,
    seed: int,
) -> dict[str, Any]:
    """Detect on the validation pictures and score boxes and masks.

    Args:
        task: Name of the fine-tuning.
        initialisation: What it started from.
        settings: Its protocol.
        detector: Sizes of the detector.
        dataset: The set; only its validation half is read.
        weights: What `finetune` wrote.
        metrics: Receives the figures as JSON.
        detections: Receives a list of `{image_id, category_id, bbox, score, segmentation}` as JSON; bbox is
            x, y, width, height in pixels.
        seed: Kept in the figures; evaluation draws nothing.

    Returns:
        What `metrics` holds; AP from 0 to 100, null where the set has nothing to score.

    Raises:
        UserError: The set is refused, or the weights are of another detector.
    """
    val = read_split(dataset.val)
    if dataset.format == "lvis":
        check_lvis(val)
        restore_numpy_float()
    seed_all_rng(seed)
    cfg = build_config(settings, detector, len(val.classes), val.rle, seed)
    scores = _score(cfg, _load(cfg, weights), val, dataset.format, detections)
    result = {
        "task": task,
        "dataset": settings.dataset,
        "format": dataset.format,
        "initialisation": initialisation,
        "box": _figures(scores.get("bbox", {}), dataset.format),
        "mask": _figures(scores.get("segm", {}), dataset.format),
        "per_category": _per_category(scores.get("bbox", {}), val.classes),
        "iterations": settings.iterations,
        "batch_size": settings.batch_size,
        "base_lr": settings.base_lr,
        "weight_decay": settings.weight_decay,
        "norm": NORM,
        "detectron2": detectron2.__version__,
        "seed": seed,
        "images": len(val.content["images"]),
        "instances": val.instances,
    }
    write_json(metrics, result)
    return result


def _load(cfg: CfgNode, weights: Path) -> torch.nn.Module:
    """The detector with fine-tuned weights, of which every one must fit."""
    model = build_model(cfg)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["model"])
    except FileNotFoundError:
        raise UserError(f"There are no weights at {weights}; run the fine-tuning that writes them.") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{weights} does not fit the configured detector ({reason}); fine-tune it again.") from None
    return model.eval()


def _score(cfg: CfgNode, model: torch.nn.Module, val: Split, form: Form, detections: Path) -> Mapping[str, Any]:
    """Run detectron2's evaluator of the format; the detections go to a file of their own."""
    name = register(val, form)
    loader = build_detection_test_loader(cfg, name)
    with tempfile.TemporaryDirectory() as folder:
        if form == "coco":
            evaluator = COCOEvaluator(name, tasks=("bbox", "segm"), distributed=False, output_dir=folder)
        else:
            evaluator = LVISEvaluator(name, tasks=("bbox", "segm"), distributed=False, output_dir=folder)
        scores = inference_on_dataset(model, loader, evaluator)
        copy_whole(Path(folder) / _DETECTIONS[form], detections)
    return scores


def _figures(scores: Mapping[str, float], form: Form) -> dict[str, float | None]:
    return {name: _or_null(scores.get(name)) for name in _FIGURES[form]}


def _per_category(scores: Mapping[str, float], classes: list[str]) -> dict[str, float | None]:
    """Box AP of each category; empty for LVIS, whose evaluator gives none."""
    return {name: _or_null(scores[f"AP-{name}"]) for name in classes if f"AP-{name}" in scores}


def _or_null(value: float | None) -> float | None:
    """None for what was not scored: detectron2 says NaN, lvis -1 (times 100)."""
    return None if value is None or math.isnan(value) or value < 0 else float(value)
