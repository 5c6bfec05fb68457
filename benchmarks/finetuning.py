"""Fine-tuning and evaluation at the demo's size: ours against detectron2's own way.

Its own are model, optimiser, loaders and evaluator, with one validation image at a time. All ways
begin with the same weights and alternate in one process, and a ratio is the median of the ratios
within a round. Each finds the most detections on every image.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import REPOSITORY
from detectron2.config import CfgNode
from detectron2.data import build_detection_test_loader, build_detection_train_loader
from detectron2.engine import DefaultTrainer
from detectron2.evaluation import COCOEvaluator, inference_on_dataset
from detectron2.utils.events import EventStorage

from soco.config import load_config
from soco.demo import make_demo
from soco.transfer.detect.annotations import read_dataset
from soco.transfer.detect.datasets import register
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.mapper import ImageMapper
from soco.transfer.detect.scoring import Evaluation
from soco.transfer.detect.trainer import Trainer

Run = Callable[[], Any]


class Stock(DefaultTrainer):
    """detectron2's trainer with our reader of images, as before."""

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Any:
        """detectron2's loader."""
        return build_detection_train_loader(cfg, mapper=ImageMapper(cfg, True))


def configuration(device: str, workers: int) -> tuple[CfgNode, Any]:
    """Make the demo's detection set in the current folder; return its configuration and split."""
    demo = load_config(REPOSITORY / "config.yaml")
    if demo.demo is None:
        raise SystemExit("config.yaml has no demo")
    make_demo(demo.demo.model_copy(update={"images": 1, "train": 160}), seed=1)
    settings = demo.finetune["shapes_coco"].model_copy(
        update={"score_threshold": 0.0, "workers": workers}
    )
    train, val = read_dataset(demo.datasets[settings.dataset])
    cfg = build_config(settings, demo.detector, len(train.classes), train.rle, seed=1)
    cfg.MODEL.DEVICE, cfg.OUTPUT_DIR = device, "."
    cfg.DATASETS.TRAIN = (register(train, "coco"),)
    return cfg, val


def changed(cfg: CfgNode, model: str = "BatchRCNN", precision: str = "fp32") -> CfgNode:
    """The same configuration with another model or precision."""
    other = cfg.clone()
    other.MODEL.META_ARCHITECTURE, other.MODEL.PRECISION = model, precision
    return other


def iterations(trainer: DefaultTrainer, count: int) -> Run:
    """Train for some iterations; the generator of batches goes on between calls."""

    def run() -> None:
        for _ in range(count):
            trainer.iter = trainer.storage.iter
            trainer.run_step()
            trainer.storage.step()

    trainer.storage = EventStorage()
    return lambda: in_storage(trainer.storage, run)


def in_storage(storage: EventStorage, run: Run) -> None:
    """Run with the storage that detectron2 logs into."""
    with storage:
        run()


def evaluations(cfg: CfgNode, name: str, model: torch.nn.Module) -> Run:
    """An evaluation as detectron2 does it, with a new loader each time."""

    def run() -> Any:
        loader = build_detection_test_loader(cfg, name, mapper=ImageMapper(cfg, False))
        evaluator = COCOEvaluator(
            name, ("bbox", "segm"), max_dets_per_image=cfg.TEST.DETECTIONS_PER_IMAGE
        )
        return inference_on_dataset(model, loader, evaluator)

    return run


def compare(what: str, runs: dict[str, Run], rounds: int, units: int) -> None:
    """Run each way in turn, and print its median time and its median ratio to the first one.

    Args:
        what: Name of a unit.
        runs: Each way by its name.
        rounds: Number of rounds, after one that is not counted.
        units: Number of units in a run.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - begin)
    first = next(iter(times.values()))
    for name, own in times.items():
        ratio = statistics.median(peer / each for peer, each in zip(first, own, strict=True))
        each = 1000 * statistics.median(own) / units
        print(f"{what}, {name}: {each:.1f} ms, {ratio:.2f} times as fast", flush=True)


def main() -> None:
    """Train and evaluate in both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=8, help="iterations of a round")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        cfg, val = configuration(given.device, given.workers)
        ours, stock = Trainer(cfg, {}, dict), Stock(changed(cfg, "GeneralizedRCNN"))
        trainers: dict[str, DefaultTrainer] = {
            "detectron2": stock,
            "ours": ours,
            "ours in bf16": Trainer(changed(cfg, precision="bf16"), {}, dict),
        }
        for trainer in trainers.values():
            trainer.model.load_state_dict(ours.model.state_dict())
        runs = {name: iterations(each, given.iterations) for name, each in trainers.items()}
        compare("iteration of 8 images", runs, given.rounds, given.iterations)
        stock.model.load_state_dict(ours.model.state_dict())
        name = register(val, "coco")
        evaluation = Evaluation(cfg, name, val, "coco")
        runs = {
            "detectron2": evaluations(stock.cfg, name, stock.model),
            "ours": lambda: evaluation.score(ours.model),
        }
        compare("evaluated image", runs, max(1, given.rounds // 2), len(val.content["images"]))
        evaluation.close()
        os.chdir(Path(folder).parent)


if __name__ == "__main__":
    main()
