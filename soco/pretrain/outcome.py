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


def write_outcome(job: PretrainJob, training: Training) -> None:
    """Write the files of a finished run; the summary comes last."""
    _write_weights(job, training.model)
    with atomic_write(job.log) as temporary:
        shutil.copyfile(training.log_path, temporary)
    write_json(job.metrics, _summary(job, training), job.origin)


def _summary(job: PretrainJob, training: Training) -> dict[str, Any]:
    """The values of the run that the report shows."""
    settings, steps = job.settings, training.sampler.steps
    last = json.loads(training.log_path.read_text().splitlines()[-1])
    return {
        "run": job.run,
        "architecture": settings.architecture,
        "epochs": settings.epochs,
        "steps": steps,
        "images": len(training.dataset),
        "total_batch": settings.batch_size,
        "accumulate": settings.accumulate,
        "peak_lr": peak_rate(settings),
        "final_loss": last["loss"],
        "seconds": round(last["seconds"], 1),
        "images_per_second": round(steps * settings.batch_size / last["seconds"], 2),
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
