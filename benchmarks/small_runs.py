"""What short pretrainings learn: probes on labelled objects every few hundred steps, then AP.

The figures of docs/small_runs.md come from here. Without a name it only prints its usage:

    python benchmarks/small_runs.py try --steps 300 --finetune 3 optimiser=sgd base_lr=0.4

It makes the demo's images and proposals in `--folder` once, pretrains with the demo's recipe and
the keys given, and prints a line of JSON for each probe and each fine-tuning.
"""

import argparse
import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
import yaml
from common import REPOSITORY
from torch import Tensor, nn

from soco.config import Config, PretrainConfig, SplitConfig, load_config
from soco.data import read_rgb
from soco.demo import make_demo
from soco.pretrain.distributed import Ranks
from soco.pretrain.feed import Feed
from soco.pretrain.job import PretrainJob
from soco.pretrain.model import SoCo
from soco.pretrain.model.pooling import BoxSet, describe_assigned, levels, plan_assigned
from soco.pretrain.step import VALUES
from soco.pretrain.training import Training
from soco.pretrain.travel import Travel, travelling_weights
from soco.proposals.propose import propose
from soco.transfer.convert.weights import convert_file
from soco.transfer.detect import EvaluateJob, FinetuneJob, evaluate, finetune

MOST_OBJECTS = 4  # of an image that are probed
NEIGHBOURS = 10
DECAYS = (10.0, 100.0, 1000.0)  # of the linear probe; the best counts
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Objects:
    """Labelled objects.

    Attributes:
        views: (N, 3, S, S) normalised images.
        boxes: (N, 4, 4) in 0..1 of the image; rows of zeros where there are fewer.
        categories: (N, 4) from 1; 0 where there is no object.
    """

    views: Tensor
    boxes: Tensor
    categories: Tensor


def objects(split: SplitConfig, side: int) -> Objects:
    """Read the first objects of each image, resized to a side."""
    content = json.loads(Path(split.annotations).read_text())
    views, boxes, categories = [], [], []
    for image in content["images"]:
        own = [a for a in content["annotations"] if a["image_id"] == image["id"]][:MOST_OBJECTS]
        pixels = read_rgb(Path(split.images) / image["file_name"])
        height, width = pixels.shape[:2]
        views.append(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))
        padded = np.zeros((MOST_OBJECTS, 4), np.float32)
        for row, a in enumerate(own):
            x, y, w, h = a["bbox"]
            padded[row] = x / width, y / height, (x + w) / width, (y + h) / height
        boxes.append(padded)
        labels = [a["category_id"] for a in own]
        categories.append(labels + [0] * (MOST_OBJECTS - len(labels)))
    pixels = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255
    normalised = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    return Objects(normalised, torch.from_numpy(np.stack(boxes)), torch.tensor(categories))


@torch.no_grad()
def head_features(model: SoCo, given: Objects, settings: PretrainConfig) -> tuple[Tensor, Tensor]:
    """The online head's outputs (O, D) for all objects, and their categories (O,)."""
    # Without projector and predictor: what detectors take.
    branch, side = dataclasses.replace(model.online, mlps=(nn.Identity(),)), given.views.shape[-1]
    model.eval()
    vectors = []
    for start in range(0, len(given.views), 64):
        part = slice(start, start + 64)
        boxes, present = given.boxes[part], (given.categories[part] > 0).long()
        of_level = levels(boxes, side, settings.level_bounds)
        views = given.views[part].contiguous(memory_format=torch.channels_last)
        maps = branch.maps(views)
        sizes = [[tuple(m.shape[-2:]) for m in maps]]
        plan = plan_assigned([BoxSet(0, boxes, present, of_level)], sizes, branch.roi_side)
        vectors.append(describe_assigned([maps], plan, branch.describe)[0].values)
    model.train()
    kept = given.categories > 0
    return torch.cat(vectors)[kept].float(), given.categories[kept]


def accuracies(train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Percent of validation objects that kNN and a linear layer (ridge regression) get right."""
    (a, of_a), (b, of_b) = train, val
    count = int(of_a.max()) + 1
    near = F.normalize(b - a.mean(0), dim=1) @ F.normalize(a - a.mean(0), dim=1).T
    votes = F.one_hot(of_a[near.topk(NEIGHBOURS, dim=1).indices], count).sum(dim=1).argmax(dim=1)
    ones = [torch.ones(len(x), 1) for x in (a, b)]
    spread = a.std(0) + 1e-4
    a, b = (
        torch.cat([(x - a.mean(0)) / spread, one], dim=1).double()
        for x, one in zip((a, b), ones, strict=True)
    )
    wanted, hits = F.one_hot(of_a, count).double(), []
    for decay in DECAYS:
        layer = torch.linalg.solve(a.T @ a + decay * torch.eye(a.shape[1]), a.T @ wanted)
        hits.append(float(((b @ layer).argmax(1) == of_b).double().mean()))
    knn = float((votes == of_b).double().mean())
    return {"knn": round(100 * knn, 1), "linear": round(100 * max(hits), 1)}


def pretrain(job: PretrainJob, every: int, probed: list[Objects]) -> Iterator[dict[str, Any]]:
    """Pretrain, and yield a line for every `every` steps; the weights are written at the end."""
    training = Training(job, Ranks(0, 1, torch.device("cpu")))
    model, settings, steps = training.model, job.settings, training.sampler.steps
    travel, taken = Travel(travelling_weights(model)), list[Tensor]()
    feed = Feed(training.dataset, training.sampler, settings.workers, training.device)
    with contextlib.closing(feed):
        for number in range(steps + 1):
            if number % every == 0 or number == steps:
                means = torch.stack(taken).mean(0).tolist() if taken else []
                moved = travel.measure(travelling_weights(model))
                yield {
                    "step": number,
                    "samples": number * settings.batch_size,
                    **{name: round(mean, 3) for name, mean in zip(VALUES, means, strict=False)},
                    **accuracies(*(head_features(model, each, settings) for each in probed)),
                    "cosine": {part: round(each["cosine"], 3) for part, each in moved.items()},
                }
                taken.clear()
            if number < steps:
                taken.append(training.step(feed, training._rates(number)).values.mean(0))
    tensors = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    safetensors.torch.save_file(tensors, job.weights)


def average_precision(
    config: Config, weights: Path | None, folder: Path, seed: int
) -> dict[str, Any]:
    """Fine-tune with the demo's protocol and evaluate; None: from scratch."""
    settings = config.finetune["shapes_coco"]
    dataset = config.datasets[settings.dataset]
    shared = {"task": "shapes_coco", "settings": settings, "detector": config.detector,
              "dataset": dataset, "seed": seed}  # fmt: skip
    converted = None
    if weights is not None:
        converted = folder / "converted.pkl"
        convert_file(weights, "detectron2", converted, folder / "converted.json")
    trained = folder / f"trained_{seed}"
    finetune(FinetuneJob(**shared, weights=converted, folder=trained, checkpoints=folder / "steps"))
    job = EvaluateJob(**shared, initialisation="x", trained=trained, folder=folder / f"ap_{seed}")
    evaluate(job)
    found = json.loads(job.metrics.read_text())
    return {"seed": seed, **{part: found[part]["AP"] for part in ("box", "mask")}}


def data(config: Config) -> Path:
    """Make the demo's images and their proposals in the current folder, if they are not there."""
    store = Path("proposals/store.arrow")
    if config.demo is None:
        raise SystemExit("config.yaml has no demo")
    if not store.exists():
        make_demo(config.demo, config.seed)
        propose(config.images, store.parent, config.proposals, config.filter)
    return store


def job_of(given: argparse.Namespace, config: Config, store: Path, folder: Path) -> PretrainJob:
    """The demo's pretraining with the keys that were given."""
    keys = dict(each.split("=", 1) for each in given.keys)
    changes = {key: yaml.safe_load(value) for key, value in keys.items()}
    settings = config.pretrain["soco"].model_dump() | {"steps": given.steps} | changes
    return PretrainJob(
        run=given.name,
        settings=PretrainConfig.model_validate(settings),
        detector=config.detector,
        store=store,
        images=config.images,
        folder=folder / "checkpoints",
        weights=folder / "weights.safetensors",
        log=folder / "log.jsonl",
        metrics=folder / "metrics.json",
        seed=given.seed,
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="of the attempt; `scratch`: only fine-tuning")
    parser.add_argument("keys", nargs="*", help="keys of the pretraining, such as base_lr=0.4")
    parser.add_argument("--folder", type=Path, default=Path("results/small_runs"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of the pretraining")
    parser.add_argument("--every", type=int, default=100, help="steps between probes")
    parser.add_argument("--finetune", type=int, default=0, help="number of seeds")
    given = parser.parse_intermixed_args()  # keys may follow options
    if not given.name:
        parser.print_usage()
        raise SystemExit(0)
    return given


def main() -> None:
    """Run one attempt, and print its lines."""
    given = arguments()
    config = load_config(REPOSITORY / "config.yaml")
    given.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(given.folder):  # the configuration's paths are relative
        store, folder, weights = data(config), Path(given.name), None
        folder.mkdir(exist_ok=True)
        began = time.monotonic()
        if given.name != "scratch":
            job = job_of(given, config, store, folder)
            weights, side = job.weights, job.settings.views[0].size
            shapes = config.datasets["shapes_coco"]
            probed = [objects(split, side) for split in (shapes.train, shapes.val)]
            for line in pretrain(job, given.every, probed):
                seconds = round(time.monotonic() - began)
                print(json.dumps({"name": given.name, **line, "seconds": seconds}), flush=True)
        for seed in range(1, given.finetune + 1):
            found = average_precision(config, weights, folder, seed)
            print(json.dumps({"name": given.name, **found}), flush=True)


if __name__ == "__main__":
    main()
