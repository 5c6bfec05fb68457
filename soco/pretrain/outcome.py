"""The results of a finished pretraining: weights, log and summary."""

import dataclasses
import json
import shutil
from typing import Any

import safetensors.torch

import soco
from soco.data.stores.tensors import DIGEST, tensors_digest
from soco.io import KEY, atomic_write, origin_inside, write_json
from soco.pretrain.job import PretrainJob
from soco.pretrain.model import SoCo
from soco.pretrain.schedules import peak_rate
from soco.pretrain.training import Training
from soco.pretrain.travel import Moved, warn_of_stay


def write_outcome(job: PretrainJob, training: Training) -> None:
    """Write the files of a finished run; the summary comes last.

    A run whose weights stayed at their first values, though it had steps, is a warning.
    """
    moved = training.travel()
    if training.sampler.steps:
        warn_of_stay(moved, job.settings.optimiser)
    _write_weights(job, training.model)
    with atomic_write(job.log) as temporary:
        shutil.copyfile(training.log_path, temporary)
    write_json(job.metrics, _summary(job, training, moved), job.origin)


def _summary(job: PretrainJob, training: Training, moved: Moved) -> dict[str, Any]:
    """The values of the run that the report shows."""
    settings, steps, walk = job.settings, training.sampler.steps, training.walk
    lines = training.log_path.read_text().splitlines()
    # A run of no steps has no line: its weights are as they were drawn.
    last: dict[str, Any] = json.loads(lines[-1]) if lines else {"loss": None, "seconds": 0.0}
    images = steps * settings.batch_size
    return {
        "run": job.run,
        "architecture": settings.architecture,
        "epochs": round(steps / training.sampler.steps_per_epoch, 3),
        "steps": steps,
        "images": len(training.dataset),
        "total_batch": settings.batch_size,
        "accumulate": settings.accumulate,
        "peak_lr": peak_rate(settings),
        "final_loss": last["loss"],
        "path_length": walk.path if walk else None,
        "expected_distance": walk.distance if walk else None,
        "travel": moved,
        "seconds": round(last["seconds"], 1),
        "images_per_second": round(images / last["seconds"], 2) if images else None,
        "precision": training.precision,
        "device": training.device.type,
        "processes": training.ranks.count,
        "seed": job.seed,
        "initial_weights": _initial_weights(job, training),
        "parameters": sum(p.numel() for p in training.model.parameters() if p.requires_grad),
    }


def _initial_weights(job: PretrainJob, training: Training) -> dict[str, Any] | None:
    """What the run began with: `name`, and the parts `loaded` and `drawn`; None for the seed."""
    if training.initial is None:
        return None
    return {"name": job.initial_name, **dataclasses.asdict(training.initial)}


def _write_weights(job: PretrainJob, model: SoCo) -> None:
    # Contiguous, since safetensors refuses the strides of channels-last weights.
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    metadata = {
        "run": job.run,
        "seed": job.seed,
        "settings": job.settings.model_dump(mode="json"),
        "version": soco.__version__,
        DIGEST: tensors_digest(tensors),
        **origin_inside(job.origin),
    }
    with atomic_write(job.weights) as temporary:
        safetensors.torch.save_file(
            tensors, temporary, metadata={KEY: json.dumps(metadata, sort_keys=True)}
        )
