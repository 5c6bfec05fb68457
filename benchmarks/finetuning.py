"""Fine-tuning and evaluation at the demo's size: ours against detectron2's stock way.

Stock are detectron2's model, optimiser, loaders and evaluator, one validation image at a time. Both
ways have the same weights and images; they alternate in one process, and a ratio is the median of
the ratios within a round. Every way finds the most detections on each image, as the demo does once
it is trained.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
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


def stock(cfg: CfgNode) -> CfgNode:
    """The same configuration with detectron2's own model."""
    theirs = cfg.clone()
    theirs.MODEL.META_ARCHITECTURE = "GeneralizedRCNN"
    return theirs


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


def rounds(old: Run, new: Run, count: int) -> Iterator[tuple[float, float]]:
    """Seconds of the old and the new way in turn, after one of each that is not counted."""
    for number in range(count + 1):
        times = []
        for run in (old, new):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        if number:
            yield times[0], times[1]


def report(what: str, times: list[tuple[float, float]], units: int) -> None:
    """Print the median time of a unit in each way, and the median ratio."""
    old, new = (1000 * statistics.median(column) / units for column in zip(*times, strict=True))
    ratio = statistics.median(theirs / ours for theirs, ours in times)
    print(f"{what}: detectron2 {old:.1f} ms, ours {new:.1f} ms, {ratio:.2f} times as fast")


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
        name, ours, theirs = register(val, "coco"), Trainer(cfg, {}, dict), Stock(stock(cfg))
        theirs.model.load_state_dict(ours.model.state_dict())
        times = rounds(
            iterations(theirs, given.iterations), iterations(ours, given.iterations), given.rounds
        )
        report("iteration of 8 images", list(times), given.iterations)
        theirs.model.load_state_dict(ours.model.state_dict())
        evaluation = Evaluation(cfg, name, val, "coco")
        old = evaluations(theirs.cfg, name, theirs.model)
        times = rounds(old, lambda: evaluation.score(ours.model), max(1, given.rounds // 2))
        report("evaluated image", list(times), len(val.content["images"]))
        evaluation.close()
        os.chdir(Path(folder).parent)


if __name__ == "__main__":
    main()
