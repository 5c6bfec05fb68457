"""Score a fine-tuned detector on the validation half."""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from detectron2.utils.env import seed_all_rng

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.config.effects import keys_affecting
from soco.config.presets import changed
from soco.data.stores.archives import DamagedArchive, load_archive
from soco.errors import UserError
from soco.io import write_result
from soco.machine import report_worker_errors
from soco.transfer.detect.annotations import check_lvis, read_split
from soco.transfer.detect.checkpoints import copy_whole
from soco.transfer.detect.datasets import register
from soco.transfer.detect.faults import sentences_alone
from soco.transfer.detect.protocol import build_config
from soco.transfer.detect.scoring import say_limit, score

_DETECTIONS = {"coco": "coco_instances_results.json", "lvis": "lvis_instances_results.json"}
_OF_EVALUATION = tuple(
    key
    for key in keys_affecting(FinetuneConfig, "evaluate")
    if key not in keys_affecting(FinetuneConfig, "finetune")
)


def evaluate(
    task: str,
    initialisation: str,
    settings: FinetuneConfig,
    detector: DetectorConfig,
    dataset: DatasetConfig,
    weights: Path,
    training: Path,
    metrics: Path,
    detections: Path,
    seed: int,
) -> dict[str, Any]:
    """Detect on the validation images and score boxes and masks.

    Args:
        task: Name of the fine-tuning.
        initialisation: What it started from.
        settings: Its protocol.
        detector: Sizes of the detector.
        dataset: The set; only its validation half is read.
        weights: What `finetune` wrote.
        training: The protocol as it was run, which `finetune` wrote too.
        metrics: Receives the figures as JSON, and with them the protocol that they must be read
            with.
        detections: Receives a list of `{image_id, category_id, bbox, score, segmentation}` as JSON;
            bbox is x, y, width, height in pixels.
        seed: The training's, kept in the figures; evaluation draws nothing.

    Returns:
        What `metrics` holds; AP from 0 to 100, of `detections_per_image` detections an image, null
        where the set has no objects of a size, frequency or category; `over_limit` where images
        have more objects than that.

    Raises:
        UserError: The set is refused, or the weights are of another detector.
    """
    val = read_split(dataset.val)
    if dataset.format == "lvis":
        check_lvis(val)
    report_worker_errors()
    seed_all_rng(seed)
    cfg = build_config(settings, detector, len(val.classes), val.rle, seed)
    over = say_limit(task, settings, val, dataset.format)
    model, protocol = _load(cfg, weights), _read(training)
    with tempfile.TemporaryDirectory() as folder:
        with sentences_alone():
            scores = score(cfg, model, register(val, dataset.format), val, dataset.format, folder)
        copy_whole(Path(folder) / _DETECTIONS[dataset.format], detections)
    result = {
        "task": task,
        "dataset": settings.dataset,
        "format": dataset.format,
        "initialisation": initialisation,
        "seed": seed,
        **scores,
        "protocol": _as_scored(protocol, settings),
        "images": len(val.content["images"]),
        "instances": val.instances,
        **({"over_limit": over} if over else {}),
    }
    write_result(metrics, result)
    return result


def _load(cfg: CfgNode, weights: Path) -> torch.nn.Module:
    """The detector with fine-tuned weights, of which every one must fit."""
    model = build_model(cfg)
    try:
        model.load_state_dict(load_archive(weights)["model"])
    except FileNotFoundError:
        raise UserError(
            f"There are no weights at {weights}; run the fine-tuning that writes them."
        ) from None
    except DamagedArchive as error:
        raise UserError(
            f"{weights} is damaged ({error}); remove it and run the fine-tuning again."
        ) from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{weights} does not fit the configured detector ({reason}); fine-tune it again."
        ) from None
    return model.eval()


def _as_scored(protocol: dict[str, Any], settings: FinetuneConfig) -> dict[str, Any]:
    """The protocol of the training, with what evaluation alone reads as it is now."""
    trained = {
        key: value
        for key, value in protocol.get("changed", {}).items()
        if key not in _OF_EVALUATION
    }
    scored = changed(settings.model_dump(mode="json"))
    now = {key: scored[key] for key in _OF_EVALUATION if key in scored}
    return (
        protocol
        | {key: getattr(settings, key) for key in _OF_EVALUATION}
        | {"changed": trained | now}
    )


def _read(training: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(training.read_text())
    except FileNotFoundError:
        raise UserError(f"There is no {training}; run the fine-tuning that writes it.") from None
    told.pop("origin", None)  # of the fine-tuning, and no part of the protocol
    return told
