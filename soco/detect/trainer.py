"""Fine-tune one detector, with detectron2's own training loop, data loader and hooks."""

import logging
import shutil
from pathlib import Path

import torch
from detectron2.checkpoint import PeriodicCheckpointer
from detectron2.config import CfgNode
from detectron2.engine import DefaultTrainer, HookBase, hooks, launch
from detectron2.modeling import build_model
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import CommonMetricPrinter, EventWriter, JSONWriter

from soco.config.schema import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.detect import loading
from soco.detect.annotations import Split, read_dataset
from soco.detect.checkpoints import copy_whole, describe_training, open_folder, write_final_weights
from soco.detect.datasets import Form, register
from soco.detect.protocol import build_config
from soco.errors import UserError
from soco.stores.files import write_json

_HISTORY = "history.jsonl"
_REPORT = "loading.json"


class Trainer(DefaultTrainer):
    """detectron2's trainer; keeps two checkpoints, and logs lines of text and of JSON."""

    @classmethod
    def build_model(cls, cfg: CfgNode) -> torch.nn.Module:
        """Build the detector without printing its layers."""
        return build_model(cfg)

    def build_hooks(self) -> list[HookBase | None]:
        """detectron2's hooks, whose checkpointer would keep every checkpoint."""
        period = self.cfg.SOLVER.CHECKPOINT_PERIOD
        keeping = hooks.PeriodicCheckpointer(self.checkpointer, period, max_to_keep=2)
        return [keeping if isinstance(hook, PeriodicCheckpointer) else hook for hook in super().build_hooks()]

    def build_writers(self) -> list[EventWriter]:
        """Lines with losses, rate and time left every 20 steps, and the same as JSON."""
        return [CommonMetricPrinter(self.max_iter), JSONWriter(str(Path(self.cfg.OUTPUT_DIR) / _HISTORY))]


def finetune(
    task: str,
    settings: FinetuneConfig,
    detector: DetectorConfig,
    dataset: DatasetConfig,
    weights: Path | None,
    output: Path,
    loading_report: Path,
    checkpoint_dir: Path,
    seed: int,
    history: Path | None = None,
) -> None:
    """Train a detector, from its last checkpoint if there is one.

    Runs on every GPU that is visible, or else on the CPU.

    Args:
        task: Name of the fine-tuning, for the log.
        settings: The protocol.
        detector: Sizes of the detector.
        dataset: The set; its validation half is only checked here.
        weights: Converted weights to start from; None starts from scratch.
        output: Receives the final weights, `{"model": name -> tensor}`.
        loading_report: Receives a JSON file: which tensors took their value from `weights`.
        checkpoint_dir: Folder of the checkpoints, emptied at the end; never an output of the workflow.
        seed: Of shuffling, augmentation and fresh weights.
        history: Receives the losses as JSON lines, one every 20 steps.

    Raises:
        UserError: The set is refused, the batch does not divide over the GPUs, or nothing matched in `weights`.
    """
    train, _ = read_dataset(dataset)
    if weights and not weights.is_file():
        raise UserError(f"There are no converted weights at {weights}; run the conversion that writes them.")
    processes = _processes(settings)
    open_folder(checkpoint_dir, describe_training(settings, detector, dataset, weights, seed))
    cfg = build_config(settings, detector, len(train.classes), train.rle, seed)
    cfg.OUTPUT_DIR = str(checkpoint_dir)
    cfg.MODEL.WEIGHTS = str(weights or "")
    _announce(task, settings, train, weights, processes, cfg.MODEL.DEVICE)
    launch(_train, processes, dist_url="auto", args=(cfg, train, dataset.format))
    write_final_weights(checkpoint_dir, output)
    copy_whole(checkpoint_dir / _REPORT, loading_report)
    if history:
        copy_whole(checkpoint_dir / _HISTORY, history)
    shutil.rmtree(checkpoint_dir)


def _train(cfg: CfgNode, train: Split, form: Form) -> None:
    """One process of the training."""
    logging.getLogger().setLevel(logging.INFO if comm.is_main_process() else logging.WARNING)
    # Each process must build the same fresh weights; detectron2's loader draws its workers' seeds from this one too.
    seed_all_rng(cfg.SEED)
    cfg.DATASETS.TRAIN = (register(train, form),)
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=True)
    if trainer.start_iter:
        print(f"Goes on from a checkpoint after {trainer.start_iter} of {cfg.SOLVER.MAX_ITER} iterations.")
    elif comm.is_main_process():
        model = trainer.model.module if comm.get_world_size() > 1 else trainer.model
        report = loading.loading_report(model, Path(cfg.MODEL.WEIGHTS) if cfg.MODEL.WEIGHTS else None)
        print(loading.describe(report), flush=True)
        write_json(Path(cfg.OUTPUT_DIR) / _REPORT, report)
    trainer.train()


def _processes(settings: FinetuneConfig) -> int:
    gpus = max(1, torch.cuda.device_count())
    if settings.batch_size % gpus:
        raise UserError(
            f"`batch_size` {settings.batch_size} of this fine-tuning does not divide over {gpus} GPUs; change it, or "
            "show fewer GPUs in CUDA_VISIBLE_DEVICES."
        )
    return gpus


def _announce(
    task: str, settings: FinetuneConfig, train: Split, weights: Path | None, processes: int, device: str
) -> None:
    falls = f", a tenth of it from {', '.join(map(str, settings.steps))} on" if settings.steps else ""
    print(
        f"Fine-tuning {task} from {weights or 'scratch'} on {train.annotations}: {len(train.content['images'])} "
        f"pictures, {train.instances} objects, {len(train.classes)} categories. {settings.iterations} iterations with "
        f"a total batch of {settings.batch_size} pictures over {processes} process(es) on {device}, learning rate "
        f"{settings.base_lr:g}{falls}, weight decay {settings.weight_decay:g}.",
        flush=True,
    )
