import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, ImageDraw
from small_settings import DETECTOR, SIDE, small_finetuning

from soco.config import DatasetConfig
from soco.transfer.convert import convert_state, write_detectron2

if importlib.util.find_spec("detectron2") is None:
    needing = (
        "architectures",
        "broken",
        "datasets",
        "evaluate",
        "evaluation_loader",
        "finetune",
        "loading_report",
        "mapper",
        "masks",
        "parcels",
        "pooling",
    )
    collect_ignore = [f"test_{name}.py" for name in needing]

CATEGORIES = [(2, "disc", "f"), (5, "square", "c"), (9, "triangle", "r")]
"""Category ids with gaps, as in some users' own sets."""


@pytest.fixture(scope="session")
def detector():
    return DETECTOR


@pytest.fixture(scope="session")
def settings():
    return small_finetuning("tiny")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Six images with annotations in both formats and with run-length masks; six of mixed width."""
    folder = tmp_path_factory.mktemp("tiny")
    content = _compose(folder / "train2017", np.random.default_rng(0))
    (folder / "coco.json").write_text(json.dumps(content))
    (folder / "rle.json").write_text(json.dumps(_with_run_lengths(content)))
    (folder / "lvis.json").write_text(json.dumps(_as_lvis(content)))
    (folder / "mixed.json").write_text(
        json.dumps(_compose(folder / "mixed", np.random.default_rng(1), extra=9))
    )
    return folder


@pytest.fixture(scope="session")
def datasets(tiny):
    """The tiny set in each form; both splits have the same images."""
    coco = {"images": str(tiny / "train2017"), "annotations": str(tiny / "coco.json")}
    lvis = {"images": str(tiny), "annotations": str(tiny / "lvis.json")}
    mixed = {"images": str(tiny / "mixed"), "annotations": str(tiny / "mixed.json")}
    rle = coco | {"annotations": str(tiny / "rle.json")}
    return {
        "coco": DatasetConfig(format="coco", train=coco, val=coco),
        "rle": DatasetConfig(format="coco", train=rle, val=rle),
        "mixed": DatasetConfig(format="coco", train=mixed, val=mixed),
        "lvis": DatasetConfig(format="lvis", train=lvis, val=lvis),
    }


@pytest.fixture(scope="session")
def encoder():
    """torchvision's ResNet as pretraining uses it, with random norm statistics."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18()
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="session")
def pretrained(encoder, detector):
    """Pretrained tensors by our names."""
    state = {
        f"encoder.{name}": value
        for name, value in encoder.state_dict().items()
        if not name.startswith("fc.")
    }
    fpn, head = detector.fpn_channels, detector.head_channels
    for entry, channels in enumerate((64, 128, 256, 512)):
        state |= _conv(
            f"neck.lateral_convs.{entry}.conv", f"neck.lateral_convs.{entry}.bn", channels, fpn, 1
        )
        state |= _conv(f"neck.fpn_convs.{entry}.conv", f"neck.fpn_convs.{entry}.bn", fpn, fpn, 3)
    for n in range(1, detector.head_convs + 1):
        state |= _conv(f"head.conv{n}", f"head.bn{n}", fpn if n == 1 else head, head, 3)
    state["head.fc1.weight"] = torch.randn(detector.head_fc, head * 49) / 50
    state["head.fc1.bias"] = torch.randn(detector.head_fc)
    return state


@pytest.fixture(scope="session")
def converted(pretrained, tmp_path_factory):
    path = tmp_path_factory.mktemp("converted") / "detectron2_fpn_head.pkl"
    write_detectron2(path, convert_state(pretrained, "detectron2"))
    return path


@pytest.fixture
def finetuning(settings, detector, datasets, tmp_path):
    """Make a fine-tuning job; the settings and the other keys replace the defaults."""
    from soco.transfer.detect import FinetuneJob

    def make(tuned=None, **keys):
        defaults = {
            "task": "tiny",
            "settings": settings.model_copy(update=tuned or {}),
            "detector": detector,
            "dataset": datasets["coco"],
            "folder": tmp_path / "trained",
            "checkpoints": tmp_path / "checkpoints",
            "seed": 1,
        }
        return FinetuneJob(**(defaults | keys))

    return make


@pytest.fixture
def evaluation(settings, detector, datasets, tmp_path):
    """Make a job that evaluates the detector of `finetuning`."""
    from soco.transfer.detect import EvaluateJob

    def make(tuned=None, **keys):
        defaults = {
            "task": "tiny",
            "initialisation": "scratch",
            "settings": settings.model_copy(update=tuned or {}),
            "detector": detector,
            "dataset": datasets["coco"],
            "trained": tmp_path / "trained",
            "folder": tmp_path / "evaluated",
            "seed": 1,
        }
        return EvaluateJob(**(defaults | keys))

    return make


def _conv(conv, norm, inputs, outputs, side):
    return {
        f"{conv}.weight": torch.randn(outputs, inputs, side, side)
        / math.sqrt(inputs * side * side),
        f"{norm}.weight": 1 + torch.rand(outputs),
        f"{norm}.bias": torch.randn(outputs),
        f"{norm}.running_mean": torch.randn(outputs),
        f"{norm}.running_var": 1 + torch.rand(outputs),
        f"{norm}.num_batches_tracked": torch.tensor(5),
    }


def _compose(folder: Path, random, extra=0):
    """Images with an object of each category; every third is wider by `extra` pixels."""
    folder.mkdir()
    images, annotations = [], []
    for key in range(1, 7):
        width = SIDE + extra * (key % 3 == 0)
        image = Image.fromarray(random.integers(0, 80, (SIDE, width, 3), dtype=np.uint8))
        for place, (category, _, _) in enumerate(CATEGORIES):
            corners = _polygon((24, 4, 3)[place], random.uniform(16, 48, 2), random.uniform(8, 14))
            ImageDraw.Draw(image).polygon(
                [tuple(corner) for corner in corners], fill=(250, 90 * place, 200)
            )
            annotations.append(_annotation(len(annotations) + 1, key, category, corners))
        image.save(folder / f"{key:012d}.png")
        images.append({"id": key, "file_name": f"{key:012d}.png", "width": width, "height": SIDE})
    categories = [{"id": key, "name": name} for key, name, _ in CATEGORIES]
    return {"images": images, "annotations": annotations, "categories": categories}


def _polygon(corners, centre, radius):
    angles = 2 * np.pi * np.arange(corners) / corners
    return centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def _annotation(key, image, category, corners):
    (x1, y1), (x2, y2) = corners.min(0), corners.max(0)
    return {
        "id": key,
        "image_id": image,
        "category_id": category,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "iscrowd": 0,
        "segmentation": [corners.ravel().tolist()],
    }


def _with_run_lengths(content):
    """The masks as uncompressed run lengths, as in COCO's files."""
    entries = []
    for entry in content["annotations"]:
        canvas = Image.new("1", (SIDE, SIDE))
        ImageDraw.Draw(canvas).polygon(entry["segmentation"][0], fill=1)
        flat = np.asarray(canvas).ravel(order="F").astype(int)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
        counts = np.diff([0, *edges, flat.size]).tolist()
        entries.append(entry | {"segmentation": {"size": [SIDE, SIDE], "counts": counts}})
    return content | {"annotations": entries}


def _as_lvis(content):
    """The LVIS form: images have URLs, and lists of the categories that were annotated."""
    images = [
        {key: value for key, value in image.items() if key != "file_name"}
        | {
            "coco_url": f"http://images.cocodataset.org/train2017/{image['file_name']}",
            "neg_category_ids": [],
            "not_exhaustive_category_ids": [],
        }
        for image in content["images"]
    ]
    categories = [{"id": key, "name": name, "frequency": rate} for key, name, rate in CATEGORIES]
    return content | {"images": images, "categories": categories}
