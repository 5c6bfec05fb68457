"""What a finished pretraining leaves: weights, log and summary."""

import json
import shutil
from pathlib import Path
from typing import Any

import safetensors.torch

import soco
from soco.data.stores.tensors import DIGEST, tensors_digest
from soco.io import KEY, atomic_write, origin_inside, write_result
from soco.pretrain.job import PretrainJob
from soco.pretrain.model import SoCo
from soco.pretrain.schedules import peak_rate
from soco.pretrain.training import Training


def write_outcome(job: PretrainJob, training: Training) -> None:
    """Write a finished run's files; the summary comes last."""
    told = {"run": job.run, "seed": job.seed, "settings": job.settings.model_dump(mode="json")}
    _write_weights(training.model, job.weights, told)
    with atomic_write(job.log) as temporary:
        shutil.copyfile(training.log_path, temporary)
    write_result(job.metrics, _summary(job, training))


def _summary(job: PretrainJob, training: Training) -> dict[str, Any]:
    """What the report says about the run."""
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
        "parameters": sum(p.numel() for p in training.model.parameters() if p.requires_grad),
    }


def _write_weights(model: SoCo, path: Path, told: dict[str, Any]) -> None:
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    said = {**told, "version": soco.__version__, DIGEST: tensors_digest(tensors), **origin_inside()}
    metadata = {KEY: json.dumps(said, sort_keys=True)}
    with atomic_write(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, metadata=metadata)
