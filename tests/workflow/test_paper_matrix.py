"""Every row of recipes/paper.yaml at full architecture, trained two steps on small images."""

import json
import math

import pytest
import safetensors.numpy
import torch
import torchvision
import yaml

from soco.config.presets import RECIPES
from soco.config.schema import DemoConfig
from soco.demo import make_demo

CLASSES = {"coco": 80, "lvis": 1203}
HEADS = {"fpn": "4 conv + 1 fc", "c4": "res5 + norm"}
RESNET = ("backbone.bottom_up.",)
FPN = ("backbone.", "roi_heads.box_head.")
C4 = ("backbone.", "roi_heads.res5.0.", "roi_heads.res5.1.", "roi_heads.res5.2.")

SMALL_PRETRAINING = {
    "level_bounds": [14, 28, 56, 64],
    "epochs": 1,
    "warmup_epochs": 0,
    "batch_size": 4,
    "precision": "fp32",
    "processes": 1,
    "workers": 0,
    "log_every": 1,
}
SMALL_FINETUNING = {
    "batch_size": 2,
    "reference_batch": 2,
    "iterations": 2,
    "steps": [1],
    "warmup_iterations": 0,
    "short_sides": [96, 128],
    "test_short_side": 128,
    "max_long_side": 128,
    "anchor_sizes": [16, 32, 64, 96, 128],
    "rois_per_image": 64,
    "precise_bn_batches": 2,
    "processes": 1,
    "workers": 0,
}


def listed_as(content, classes):
    """An annotation file's content with `classes` categories, most of them without an object."""
    first = content["categories"][0]
    absent = {"frequency": "r", "image_count": 0, "instance_count": 0}
    for number in range(len(content["categories"]) + 1, classes + 1):
        content["categories"].append(first | {"id": number, "name": f"category {number}"} | absent)
    for image in content["images"]:
        image["neg_category_ids"] = [*image.get("neg_category_ids", []), classes]
        if "coco_url" in image:  # LVIS v1 names no file
            image["coco_url"] = f"http://images.cocodataset.org/train2017/{image.pop('file_name')}"
    return content


def make_stand_ins(folder):
    """Make composed images in the layouts of COCO 2017 and LVIS v1, and an untrained ResNet-50."""
    make_demo(
        DemoConfig(path=str(folder / "demo"), images=8, train=8, val=4, side=128),
        seed=1,
    )
    shapes = folder / "demo/shapes"
    for form, name in (("coco", "coco"), ("lvis", "lvis_v1")):
        for split in ("train", "val"):
            path = shapes / f"{name}_{split}.json"
            content = listed_as(json.loads(path.read_text()), CLASSES[form])
            path.write_text(json.dumps(content).replace("train2017", f"{split}2017"))
    for split in ("train", "val"):
        (shapes / split).rename(shapes / f"{split}2017")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), folder / "resnet50.pth")


def small_views(views):
    """The recipe's views at sides of 32 to 64 pixels."""
    sides = {224: 64, 192: 56, 112: 32}
    return [view | {"size": sides[view["size"]]} for view in views]


def overlay_of(recipe, folder):
    """The overlay that makes the recipe small: stand-ins, and short trainings on small images."""
    shapes = folder / "demo/shapes"

    def split(form, name, images):
        return {"images": str(images), "annotations": str(shapes / f"{form}_{name}.json")}

    return {
        "images": {"path": str(folder / "demo/images"), "known_as": None, "shards": 2},
        "pretrain": {
            run: SMALL_PRETRAINING | {"views": small_views(RECIPES[run]["views"])}
            for run in recipe["pretrain"]
        },
        "weights": {"supervised": {"path": str(folder / "resnet50.pth"), "known_as": None}},
        "datasets": {
            "coco": {"known_as": None}
            | {at: split("coco", at, shapes / f"{at}2017") for at in ("train", "val")},
            "lvis": {"known_as": None}
            | {at: split("lvis_v1", at, shapes) for at in ("train", "val")},
        },
        "finetune": dict.fromkeys(recipe["finetune"], SMALL_FINETUNING),
    }


def rows_of(recipe):
    """Task and initialisation of every fine-tuning of the recipe."""
    return [
        (task, start)
        for task, settings in recipe["finetune"].items()
        for start in settings["initialisations"]
    ]


@pytest.fixture(scope="module")
def recipe(repository):
    return yaml.safe_load((repository / "recipes/paper.yaml").read_text())


@pytest.fixture(scope="module")
def matrix(recipe, laid_over, tmp_path_factory, run_workflow):
    """The whole recipe, run to its end."""
    workflow = run_workflow(tmp_path_factory.mktemp("paper"))
    make_stand_ins(workflow.folder)
    workflow.overlay = laid_over(
        recipe, overlay_of(recipe, workflow.folder) | {"results": "results"}
    )
    workflow("all", options=("--keep-going",))
    return workflow


def json_at(workflow, *parts):
    return json.loads(workflow.path(*parts).read_text())


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_every_pretraining_takes_two_steps(matrix, recipe):
    for run in recipe["pretrain"]:
        steps = lines_of(matrix.path("pretrain", run, "log.jsonl"))
        views = len(RECIPES[run]["views"])
        assert [line["step"] for line in steps] == [0, 1], run
        assert all(abs(line["loss"]) <= 4 * (views - 1) for line in steps), (
            run
        )  # of each pair, twice -2 to 2; no NaN
        # The linear rule's rate at the first step, and half of it in the middle of the cosine.
        assert [line["lr"] for line in steps] == pytest.approx([4 / 256, 2 / 256], abs=1e-5), run
    print(pretraining_table(matrix, recipe))


def taken_by(task, start, recipe):
    """The prefixes of the tensors that a row takes from its initialisation."""
    if start == "scratch":
        return ()
    if recipe["finetune"][task]["protocol"].startswith("coco_c4"):
        return C4
    return RESNET if start == "supervised" else FPN


@pytest.mark.slow
def test_every_row_is_built_takes_its_weights_and_is_scored(matrix, recipe):
    rows = rows_of(recipe)
    assert len(rows) == 11
    for task, start in rows:
        folder = matrix.path("finetune", task, start, "seed_1")
        loading = json.loads((folder / "loading.json").read_text())
        carried = taken_by(task, start, recipe)
        names = [*loading["taken_names"], *loading["fresh_names"]]
        expected = [name for name in names if carried and name.startswith(carried)]
        assert sorted(loading["taken_names"]) == sorted(expected), (task, start)
        assert (len(loading["taken_names"]) > 250) == (start != "scratch"), (task, start)
        losses = {
            key: value
            for key, value in lines_of(folder / "history.jsonl")[-1].items()
            if "loss" in key
        }
        assert {
            "total_loss",
            "loss_cls",
            "loss_box_reg",
            "loss_mask",
            "loss_rpn_cls",
            "loss_rpn_loc",
        } <= set(losses)
        assert all(map(math.isfinite, losses.values())), (task, start)
        metrics = json_at(matrix, "evaluate", task, start, "seed_1", "metrics.json")
        architecture = "c4" if task.endswith("c4") else "fpn"
        protocol = {
            key: metrics["protocol"][key] for key in ("name", "architecture", "head", "iterations")
        }
        name = recipe["finetune"][task]["protocol"]
        assert protocol == {
            "name": name,
            "architecture": architecture,
            "head": HEADS[architecture],
            "iterations": 2,
        }
        assert len(metrics["per_category"]) == CLASSES[metrics["format"]]
        assert isinstance(
            json_at(matrix, "evaluate", task, start, "seed_1", "detections.json"), list
        )
    print(table(matrix, rows))


@pytest.mark.slow
def test_the_report_has_every_row(matrix, recipe):
    report = json_at(matrix, "report", "report.json")
    reported = {
        (row["task"], row["initialisation"]) for task in report["results"] for row in task["rows"]
    }
    assert reported == set(rows_of(recipe))


def row_of(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def head_of(*names):
    return [row_of(*names), "|---" * len(names) + "|"]


def seconds_of(matrix, *parts):
    """The wall time that Snakemake measured."""
    header, values = matrix.path("benchmarks", *parts).read_text().splitlines()
    return f"{float(dict(zip(header.split(), values.split(), strict=True))['s']):.0f}"


def pretraining_table(matrix, recipe):
    """The losses of each pretraining, as docs/paper.md shows them."""
    lines = head_of("pretraining", "tensors", "loss of the first step", "of the second", "seconds")
    for run in recipe["pretrain"]:
        losses = [
            f"{line['loss']:.2f}" for line in lines_of(matrix.path("pretrain", run, "log.jsonl"))
        ]
        tensors = len(
            safetensors.numpy.load_file(matrix.path("pretrain", run, "weights.safetensors"))
        )
        lines.append(
            row_of(f"`{run}`", tensors, *losses, seconds_of(matrix, "pretrain_model", f"{run}.tsv"))
        )
    return "\n".join(lines)


def table(matrix, rows):
    """The tensors and the loss of each row, as docs/paper.md shows them."""
    lines = head_of(
        "fine-tuning",
        "initialisation",
        "tensors loaded",
        "new",
        "classes",
        "loss, mean of both steps",
        "seconds",
    )
    for task, start in rows:
        folder = matrix.path("finetune", task, start, "seed_1")
        loading = json.loads((folder / "loading.json").read_text())
        loss = lines_of(folder / "history.jsonl")[-1]["total_loss"]
        classes = len(
            json_at(matrix, "evaluate", task, start, "seed_1", "metrics.json")["per_category"]
        )
        tensors = (loading["taken"]["tensors"], loading["fresh"]["tensors"])
        seconds = seconds_of(matrix, "finetune_detector", task, start, "1.tsv")
        lines.append(row_of(f"`{task}`", f"`{start}`", *tensors, classes, f"{loss:.2f}", seconds))
    return "\n".join(lines)
