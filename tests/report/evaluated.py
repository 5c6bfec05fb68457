"""The files of evaluations of detectors, on a validation split of six photographs."""

import json
from pathlib import Path

import numpy as np
import pycocotools.mask as mask_tools
import skimage.data
from PIL import Image

from soco.report.inputs import EvaluationFiles

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field")


def metrics_of(
    task: str, init: str, seed: int, scores: dict, form: str = "coco", **protocol
) -> dict:
    """One evaluation's metrics.json: AP by name for boxes, two less for masks."""
    masks = {name: None if value is None else value - 2 for name, value in scores.items()}
    names = ("disc", "ring", "star")
    frequencies = [{"frequency": letter} if form == "lvis" else {} for letter in "rcf"]
    per_category = {
        name: {
            "box": 10.0 * place + seed,
            "mask": None if place == 2 else 5.0 * place,
            "instances": 2 + 2 * place,
        }
        | more
        for place, (name, more) in enumerate(zip(names, frequencies, strict=True))
    }
    settings = {
        "name": "coco_fpn_1x", "changed": {"base_lr": 0.08, "iterations": 220},
        "architecture": "fpn",
        "head": "4 conv + 1 fc", "norm": "SyncBN over 1 process", "batch_size": 8, "base_lr": 0.08,
        "weight_decay": 2.5e-5, "iterations": 220, "steps": [175, 205], "warmup_iterations": 30,
        "short_sides": [128], "max_long_side": 256, "test_short_side": 128, "score_threshold": 0.05,
        "detections_per_image": 20,
        "repeat_threshold": 0.0, "precise_bn_batches": 10, "processes": 1, "detectron2": "0.6",
        "torch": "2.14.1",
        "seed": seed,
    }  # fmt: skip
    return {
        "task": task, "dataset": f"shapes_{task}", "format": form, "initialisation": init,
        "seed": seed, "box": scores, "mask": masks, "per_category": per_category,
        "protocol": settings | protocol, "images": 6, "instances": 12,
    }  # fmt: skip


def evaluation(
    root: Path, random: np.random.Generator, task: str, init: str, seed: int
) -> EvaluationFiles:
    folder = root / "results" / "evaluate" / task / f"{init}-{seed}"
    folder.mkdir(parents=True)
    annotations, images = validation_split(root)
    names = ["AP", "AP50", "AP75", "APm", "APl"] + (["APr", "APc", "APf"] if task == "lvis" else [])
    scores = {name: float(random.uniform(2, 14)) for name in names} | {"APs": None}
    (folder / "metrics.json").write_text(json.dumps(metrics_of(task, init, seed, scores, task)))
    content = json.loads(annotations.read_text())
    found = [
        {"image_id": entry["image_id"], "category_id": int(random.integers(1, 4)),
         "score": float(random.uniform(0, 1)),
         "bbox": [float(value) for value in entry["bbox"]],
         "segmentation": run_lengths(entry["bbox"])}
        for entry in content["annotations"] * 3
    ]  # fmt: skip
    (folder / "detections.json").write_text(json.dumps(found))
    ap = {"AP": scores["AP"] / 2, "AP50": 1.0, "AP75": 0.5}
    curve = (
        [{"iteration": iteration, "box": ap, "mask": ap} for iteration in (110, 165)]
        if task == "coco"
        else []
    )
    (folder / "ap.jsonl").write_text("".join(json.dumps(line) + "\n" for line in curve))
    fresh = [f"roi_heads.mask_head.mask_fcn{n}.weight" for n in range(1, 5)]
    taken = (
        {"tensors": 0, "numbers": 0}
        if init == "scratch"
        else {"tensors": 199, "numbers": 12_345_678}
    )
    loading = {
        "weights": None if init == "scratch" else "results/convert/soco/detectron2_fpn_head.pkl",
        "taken": taken,
        "fresh": {"tensors": 4, "numbers": 147_456}, "fresh_names": fresh, "taken_names": [],
        "unused_names": [],
    }  # fmt: skip
    (folder / "loading.json").write_text(json.dumps(loading))
    (folder / "weights.pth").write_bytes(random.bytes(1000))
    names = ("metrics.json", "detections.json", "ap.jsonl", "loading.json", "weights.pth")
    scores, detections, measured, loaded, weights = (folder / name for name in names)
    return EvaluationFiles(
        task=task, initialisation=init, seed=seed, dataset=f"shapes_{task}",
        images=images, annotations=annotations, metrics=scores, detections=detections,
        curve=measured, loading=loaded, weights=weights,
    )  # fmt: skip


def run_lengths(box: list[int], side: int = 128) -> dict:
    """The ellipse in a box as COCO's compressed run lengths, on a square image."""
    left, top, width, height = box
    y, x = np.mgrid[:side, :side]
    inside = ((x - left - width / 2) * 2 / width) ** 2 + (
        (y - top - height / 2) * 2 / height
    ) ** 2 < 1
    code = mask_tools.encode(np.asfortranarray(inside.astype(np.uint8)))
    return {"size": [side, side], "counts": code["counts"].decode()}


def validation_split(root: Path) -> tuple[Path, Path]:
    """Six images of 128 pixels, each with a polygon, run lengths and a crowd."""
    annotations, images = root / "val.json", root / "val"
    if annotations.exists():
        return annotations, images
    images.mkdir()
    for number, name in enumerate(PHOTOGRAPHS):
        photograph = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        photograph.resize((128, 128)).save(images / f"{number}.png")
    diamond = {"bbox": [20, 24, 40, 36], "segmentation": [[40, 24, 60, 42, 40, 60, 20, 42]]}
    # Columns 70 to 113, in each of them rows 60 to 109.
    runs = [70 * 128 + 60, *[50, 78] * 43, 50, 18 + 14 * 128]
    block = {"bbox": [70, 60, 44, 50], "segmentation": {"size": [128, 128], "counts": runs}}
    entries = [
        {
            "id": number * 3 + place,
            "image_id": number,
            "category_id": (number + place) % 3 + 1,
            "iscrowd": 0,
        }
        | shape
        for number in range(len(PHOTOGRAPHS))
        for place, shape in enumerate((diamond, block))
    ]
    entries += [
        {"id": number * 3 + 2, "image_id": number, "category_id": 2, "iscrowd": 1} | block
        for number in range(len(PHOTOGRAPHS))
    ]
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 128, "height": 128}
            for n in range(len(PHOTOGRAPHS))
        ],
        "annotations": entries,
        "categories": [
            {"id": n, "name": name} for n, name in ((1, "disc"), (2, "ring"), (3, "star"))
        ],
    }
    annotations.write_text(json.dumps(content))
    return annotations, images
