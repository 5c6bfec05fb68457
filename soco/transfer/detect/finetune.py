"""Fine-tune one detector, with detectron2's own training loop and launcher."""

import logging
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.engine import launch
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.config.protocols import PROTOCOLS, changed
from soco.data.stores.lock import exclusive_lock
from soco.errors import UserError
from soco.io import remove_folder, write_result
from soco.machine import let_no_worker_fall_silent, machine_faults
from soco.pretrain.distributed import check_cores
from soco.pretrain.stop import ends_with_parent
from soco.transfer.detect import loading
from soco.transfer.detect.annotations import Split, read_dataset
from soco.transfer.detect.checkpoints import (
    copy_lines,
    copy_whole,
    describe_training,
    open_folder,
    write_final_weights,
)
from soco.transfer.detect.compat import allow_processes_without_gpus, leave_errors_to_the_caller
from soco.transfer.detect.datasets import Form, register
from soco.transfer.detect.faults import sentences_alone
from soco.transfer.detect.protocol import build_config, describe_run
from soco.transfer.detect.schedule import in_words
from soco.transfer.detect.scoring import say_limit, score
from soco.transfer.detect.trainer import CURVE, HISTORY, Trainer

_REPORT = "loading.json"
_MORE_MEMORY = "lower `batch_size`, `workers` or the detector's channels, or use a larger machine"


def finetune(
    task: str,
    settings: FinetuneConfig,
    detector: DetectorConfig,
    dataset: DatasetConfig,
    weights: Path | None,
    output: Path,
    loading_report: Path,
    history: Path,
    curve: Path,
    training: Path,
    checkpoint_dir: Path,
    seed: int,
) -> None:
    """Train a detector, from its last checkpoint if there is one; stopped and resumed, it ends with
    the same bits.

    Args:
        task: Name of the fine-tuning, for the log.
        settings: The protocol.
        detector: Sizes of the detector.
        dataset: The set; its validation half is scored while training where the settings say so.
        weights: Converted weights to start from; None starts from scratch.
        output: Receives the final weights, `{"model": name -> tensor}`.
        loading_report: Receives a JSON file: which tensors took their value from `weights`.
        history: Receives the losses as JSON lines, one every 20 steps.
        curve: Receives AP while it trained as JSON lines: `iteration`, `box` and `mask`, each with
            AP, AP50, AP75.
        training: Receives the protocol as it was run, as JSON.
        checkpoint_dir: Folder of the checkpoints, removed at the end; never an output of the
            workflow.
        seed: Of shuffling, augmentation and fresh weights.

    Raises:
        UserError: The set is refused, there are too many processes for the machine, `weights` are
            of another detector, or the losses are not finite.
    """
    train, val = read_dataset(dataset)
    if weights and not weights.is_file():
        raise UserError(
            f"There are no converted weights at {weights}; run the conversion that writes them."
        )
    _see_that_the_machine_suffices(settings)
    described = describe_training(settings, detector, dataset, weights, seed)
    cfg = build_config(settings, detector, len(train.classes), train.rle, seed, settings.processes)
    cfg.OUTPUT_DIR = str(checkpoint_dir)
    cfg.MODEL.WEIGHTS = str(weights or "")
    with exclusive_lock(checkpoint_dir), machine_faults(checkpoint_dir):
        open_folder(checkpoint_dir, described)
        _announce(task, settings, train, weights, cfg.MODEL.DEVICE)
        say_limit(
            task, settings, val, dataset.format
        )  # before a long training, and not at its end alone
        with sentences_alone():
            arguments = (cfg, described, train, val, dataset.format, torch.get_num_threads())
            launch(_train, settings.processes, dist_url="auto", args=arguments)
        write_final_weights(checkpoint_dir, output)
        copy_whole(checkpoint_dir / _REPORT, loading_report)
        copy_lines(checkpoint_dir / HISTORY, history)
        copy_lines(checkpoint_dir / CURVE, curve)
        write_result(training, describe_run(settings, detector, settings.processes, seed))
        remove_folder(checkpoint_dir)


def _train(
    cfg: CfgNode, described: dict[str, Any], train: Split, val: Split, form: Form, threads: int
) -> None:
    """One process of the training."""
    if comm.get_world_size() > 1:
        ends_with_parent()()
    let_no_worker_fall_silent()
    leave_errors_to_the_caller()
    with machine_faults(Path(cfg.OUTPUT_DIR), memory=_MORE_MEMORY):
        _train_here(cfg, described, train, val, form, threads)


def _train_here(
    cfg: CfgNode, described: dict[str, Any], train: Split, val: Split, form: Form, threads: int
) -> None:
    logging.getLogger().setLevel(logging.INFO if comm.is_main_process() else logging.WARNING)
    torch.set_num_threads(max(1, threads // comm.get_world_size()))
    if cfg.MODEL.DEVICE == "cpu":
        allow_processes_without_gpus()
    # Each process must build the same fresh weights.
    seed_all_rng(cfg.SEED)
    cfg.DATASETS.TRAIN, name = (register(train, form),), register(val, form)
    trainer = Trainer(cfg, described, lambda model: score(cfg, model, name, val, form, folder=None))
    trainer.resume_or_load()
    if trainer.start_iter and comm.is_main_process():
        print(
            f"Goes on from a checkpoint after {trainer.start_iter} of {cfg.SOLVER.MAX_ITER}"
            " iterations.",
            flush=True,
        )
    elif comm.is_main_process():
        model = trainer.model.module if comm.get_world_size() > 1 else trainer.model
        report = loading.loading_report(
            model, Path(cfg.MODEL.WEIGHTS) if cfg.MODEL.WEIGHTS else None
        )
        print(loading.describe(report), flush=True)
        loading.refuse_misfits(report)
        write_result(Path(cfg.OUTPUT_DIR) / _REPORT, report)
    try:
        trainer.train()
    except FloatingPointError:  # detectron2's, for losses and for boxes
        raise UserError(
            f"The losses or boxes are not finite after step {trainer.iter}, most often since the"
            " learning rate is too high: lower base_lr, or raise warmup_iterations, and run it"
            " again."
        ) from None


def _see_that_the_machine_suffices(settings: FinetuneConfig) -> None:
    gpus = torch.cuda.device_count()
    if gpus and settings.processes > gpus:
        raise UserError(
            f"`processes` of this fine-tuning is {settings.processes}, and {gpus} GPU(s) can be"
            " seen; lower it, or show more of them in CUDA_VISIBLE_DEVICES."
        )
    check_cores(settings.processes, settings.workers)


def _announce(
    task: str, settings: FinetuneConfig, train: Split, weights: Path | None, device: str
) -> None:
    named = (
        f" by the protocol {settings.protocol}{_departures(settings)}" if settings.protocol else ""
    )
    print(
        f"Fine-tuning {task}{named} from {weights or 'scratch'} on {train.annotations}:"
        f" {len(train.content['images'])} images, {train.instances} objects, {len(train.classes)}"
        f" categories, in {settings.processes} process(es) on {device}. {in_words(settings)}",
        flush=True,
    )


def _departures(settings: FinetuneConfig) -> str:
    """The keys that are not as the protocol has them, in brackets."""
    other = changed(settings.model_dump(mode="json"))
    told = "; ".join(
        f"{key} {value}, not {PROTOCOLS[settings.protocol or ''][key]}"
        for key, value in other.items()
    )
    return f" (with other keys than its own: {told})" if other else ""
