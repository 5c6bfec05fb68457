"""Fine-tune one detector with detectron2's training loop and launcher."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.engine import launch
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng

from soco.config import FinetuneConfig
from soco.config.presets import PROTOCOLS, changed
from soco.data.stores.lock import exclusive_lock
from soco.errors import UserError
from soco.io import remove_folder, write_json
from soco.machine import machine_faults
from soco.pretrain.distributed import check_cores
from soco.pretrain.stop import ends_with_parent
from soco.torch_compat import report_worker_errors
from soco.transfer.detect import loading_report
from soco.transfer.detect.annotations import Split, read_dataset
from soco.transfer.detect.checkpoints import (
    copy_file,
    copy_lines,
    describe_training,
    prepare_folder,
    write_final_weights,
)
from soco.transfer.detect.compat import (
    allow_ddp_on_cpu,
    silence_loop_tracebacks,
    unwrap_user_errors,
)
from soco.transfer.detect.datasets import register
from soco.transfer.detect.detectron2_config import build_config, describe_run
from soco.transfer.detect.jobs import CURVE, HISTORY, LOADING, TRAINING, WEIGHTS, FinetuneJob
from soco.transfer.detect.rescale import lengths, rescale_convolutions
from soco.transfer.detect.schedule import in_words
from soco.transfer.detect.scoring import Evaluation, report_limit
from soco.transfer.detect.trainer import Trainer

_MORE_MEMORY = "lower `batch_size`, `workers` or the detector's channels, or use a larger machine"


def finetune(job: FinetuneJob) -> None:
    """Train a detector, from its last checkpoint if there is one.

    An interrupted and resumed training ends with the same bits as an uninterrupted one.

    Args:
        job: What to train, and where the files go. The validation split is scored during training
            if the settings say so.

    Raises:
        UserError: The set is refused, the machine has too few GPUs or cores, `weights` belong to
            another detector, or the losses are not finite.
    """
    settings, folder, checkpoints = job.settings, job.folder, job.checkpoints
    train, val = read_dataset(job.dataset)
    if job.weights and not job.weights.is_file():
        raise UserError(
            "detect.weights_not_found",
            "There are no converted weights at {path}; run the conversion that writes them.",
            path=job.weights,
        )
    _check_machine(settings)
    training = describe_training(job)
    cfg = build_config(
        settings, job.detector, len(train.classes), train.rle, job.seed, settings.processes
    )
    cfg.OUTPUT_DIR = str(checkpoints)
    cfg.MODEL.WEIGHTS = str(job.weights or "")
    with exclusive_lock(checkpoints), machine_faults(checkpoints):
        prepare_folder(checkpoints, training)
        _announce(job, train, cfg.MODEL.DEVICE)
        # Warn before a long training, not only with the final AP.
        report_limit(job.task, settings, val, job.dataset.format)
        with unwrap_user_errors():
            # Spawned processes do not inherit the number of threads; `_train` divides it.
            arguments = (job, cfg, training, train, val, torch.get_num_threads())
            launch(_train, settings.processes, dist_url="auto", args=arguments)
        write_final_weights(checkpoints, folder / WEIGHTS, job.origin)
        copy_file(checkpoints / LOADING, folder / LOADING)
        copy_lines(checkpoints / HISTORY, folder / HISTORY)
        copy_lines(checkpoints / CURVE, folder / CURVE)
        described = describe_run(settings, job.detector, settings.processes, job.seed)
        write_json(folder / TRAINING, described, job.origin)
        # Last: a run that is killed before this line can still make all outputs.
        remove_folder(checkpoints)


def _train(
    job: FinetuneJob,
    cfg: CfgNode,
    training: dict[str, Any],
    train: Split,
    val: Split,
    threads: int,
) -> None:
    """One process of the training."""
    if comm.get_world_size() > 1:
        # Else spawned processes would go on training when the launcher is killed.
        ends_with_parent()()
    report_worker_errors()
    silence_loop_tracebacks()
    logging.getLogger().setLevel(logging.INFO if comm.is_main_process() else logging.WARNING)
    torch.set_num_threads(max(1, threads // comm.get_world_size()))
    if cfg.MODEL.DEVICE == "cpu":
        allow_ddp_on_cpu()
    seed_all_rng(cfg.SEED)  # every process must build the same fresh weights
    form = job.dataset.format
    with machine_faults(Path(cfg.OUTPUT_DIR), memory=_MORE_MEMORY):
        cfg.DATASETS.TRAIN, name = (register(train, form),), register(val, form)
        evaluation = Evaluation(cfg, name, val, form)
        trainer = Trainer(cfg, training, evaluation.score)
        drawn = lengths(trainer.model)
        trainer.resume_or_load()
        if comm.is_main_process():
            _report_initialisation(trainer, job)
        if job.weights and job.settings.rescale_convolutions and not trainer.start_iter:
            factors = rescale_convolutions(trainer.model, drawn)
            if comm.is_main_process():
                print(_rescaled_words(list(factors.values())), flush=True)
        try:
            with contextlib.closing(evaluation):
                trainer.train()
        except FloatingPointError:  # detectron2 raises it for losses and for boxes
            raise UserError(
                "detect.not_finite",
                "The losses or boxes are not finite after iteration {iteration}, usually because"
                " the learning rate is too high; lower base_lr or raise warmup_iterations, and run"
                " it again.",
                iteration=trainer.iter,
            ) from None


def _report_initialisation(trainer: Trainer, job: FinetuneJob) -> None:
    """Say where the training resumes, or which tensors were loaded."""
    if trainer.start_iter:
        done, total = trainer.start_iter, trainer.max_iter
        print(f"Resumes from the checkpoint after {done} of {total} iterations.", flush=True)
        return
    model = trainer.model.module if comm.get_world_size() > 1 else trainer.model
    report = loading_report.loading_report(model, job.weights)
    print(loading_report.describe(report), flush=True)
    loading_report.check_all_used(report)
    write_json(job.checkpoints / LOADING, report, job.origin)


def _rescaled_words(factors: list[float]) -> str:
    return (
        f"Scaled {len(factors)} convolutions to the length that detectron2 draws, by factors of"
        f" {min(factors):.2f} to {max(factors):.2f}; features are the same."
    )


def _check_machine(settings: FinetuneConfig) -> None:
    gpus = torch.cuda.device_count()
    if gpus and settings.processes > gpus:
        raise UserError(
            "detect.too_few_gpus",
            "`processes` of this fine-tuning is {processes}, but only {gpus} GPUs are visible;"
            " lower it, or make more of them visible in CUDA_VISIBLE_DEVICES.",
            processes=settings.processes,
            gpus=gpus,
        )
    check_cores(settings.processes, settings.workers)


def _announce(job: FinetuneJob, train: Split, device: str) -> None:
    settings = job.settings
    protocol = ""
    if settings.protocol:
        protocol = f" with the protocol {settings.protocol}{_departures(settings)}"
    print(
        f"Fine-tuning {job.task}{protocol} from {job.weights or 'scratch'} on {train.annotations}:"
        f" {len(train.content['images'])} images, {train.instances} objects, {len(train.classes)}"
        f" categories, in {settings.processes} process(es) on {device}. {in_words(settings)}",
        flush=True,
    )


def _departures(settings: FinetuneConfig) -> str:
    """The keys that differ from the protocol, in brackets."""
    differing = changed(settings.model_dump(mode="json"))
    if not differing:
        return ""
    values = PROTOCOLS[settings.protocol or ""]
    keys = "; ".join(f"{key} {value} instead of {values[key]}" for key, value in differing.items())
    return f" (changed: {keys})"
