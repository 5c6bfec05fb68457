"""Score a fine-tuned detector on the validation split."""

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from detectron2.utils.env import seed_all_rng

from soco.config import FinetuneConfig
from soco.config.effects import keys_affecting
from soco.config.presets import changed
from soco.data.stores.torch_files import DamagedArchive, load_archive
from soco.errors import UserError
from soco.io import write_json
from soco.torch_compat import report_worker_errors
from soco.transfer.detect.annotations import check_lvis, read_split
from soco.transfer.detect.checkpoints import copy_file
from soco.transfer.detect.compat import unwrap_user_errors
from soco.transfer.detect.datasets import register
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.jobs import TRAINING, WEIGHTS, EvaluateJob
from soco.transfer.detect.scoring import Evaluation, report_limit

_DETECTIONS = {"coco": "coco_instances_results.json", "lvis": "lvis_instances_results.json"}
_EVALUATION_KEYS = tuple(
    key
    for key in keys_affecting(FinetuneConfig, "evaluate")
    if key not in keys_affecting(FinetuneConfig, "finetune")
)


def evaluate(job: EvaluateJob) -> dict[str, Any]:
    """Detect on the validation images and score boxes and masks.

    Args:
        job: What to evaluate, and where the files go.

    Returns:
        The content of `metrics.json`: AP from 0 to 100 with `detections_per_image` detections per
        image, None where the set has no objects of a size, frequency or category; `over_limit` if
        images have more objects than that.

    Raises:
        UserError: The set is refused, or the weights are missing, damaged or of another detector.
    """
    settings, form = job.settings, job.dataset.format
    val = read_split(job.dataset.val)
    if form == "lvis":
        check_lvis(val)
    report_worker_errors()
    seed_all_rng(job.seed)
    cfg = build_config(settings, job.detector, len(val.classes), val.rle, job.seed)
    over = report_limit(job.task, settings, val, form)
    model, protocol = _load(cfg, job.trained / WEIGHTS), _read(job.trained / TRAINING)
    with tempfile.TemporaryDirectory() as folder:
        evaluation = Evaluation(cfg, register(val, form), val, form)
        with unwrap_user_errors(), contextlib.closing(evaluation):
            scores = evaluation.score(model, folder)
        copy_file(Path(folder) / _DETECTIONS[form], job.detections)
    result = {
        "task": job.task,
        "dataset": settings.dataset,
        "format": form,
        "initialisation": job.initialisation,
        "seed": job.seed,
        **scores,
        "protocol": _as_scored(protocol, settings),
        "images": len(val.content["images"]),
        "instances": val.instances,
        **({"over_limit": over} if over else {}),
    }
    write_json(job.metrics, result, job.origin)
    return result


def _load(cfg: CfgNode, weights: Path) -> torch.nn.Module:
    """The detector with its fine-tuned weights; every tensor must fit."""
    model = build_model(cfg)
    try:
        model.load_state_dict(load_archive(weights)["model"])
    except FileNotFoundError:
        raise UserError(
            "detect.trained_weights_not_found",
            "There are no weights at {path}; run the fine-tuning that writes them.",
            path=weights,
        ) from None
    except DamagedArchive as error:
        raise UserError(
            "detect.damaged_weights",
            "{path} is damaged ({reason}); remove it and run the fine-tuning again.",
            path=weights,
            reason=error,
        ) from None
    # torch's error for missing tensors and for other shapes.
    except RuntimeError as error:
        raise UserError(
            "detect.weights_do_not_fit",
            "{path} does not fit the configured detector ({reason}); fine-tune it again.",
            path=weights,
            reason=" ".join(str(error).split())[:300],
        ) from None
    return model.eval()


def _as_scored(protocol: dict[str, Any], settings: FinetuneConfig) -> dict[str, Any]:
    """The training's protocol, with the current values of the keys that only evaluation reads."""
    trained = {
        key: value
        for key, value in protocol.get("changed", {}).items()
        if key not in _EVALUATION_KEYS
    }
    scored = changed(settings.model_dump(mode="json"))
    now = {key: scored[key] for key in _EVALUATION_KEYS if key in scored}
    return (
        protocol
        | {key: getattr(settings, key) for key in _EVALUATION_KEYS}
        | {"changed": trained | now}
    )


def _read(training: Path) -> dict[str, Any]:
    try:
        protocol: dict[str, Any] = json.loads(training.read_text())
    except FileNotFoundError:
        raise UserError(
            "detect.training_not_found",
            "There is no {path}; run the fine-tuning that writes it.",
            path=training,
        ) from None
    protocol.pop("origin", None)  # the fine-tuning's, not part of the protocol
    return protocol
