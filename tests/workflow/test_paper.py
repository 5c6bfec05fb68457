"""recipes/paper.yaml: the paper's rows, its data, and what would run; see test_paper_matrix.py."""

import os
import re
import zipfile

import pytest
import yaml

from soco.config import load_config, recipe
from soco.config.presets import RECIPES
from soco.report.paper import PAPER_ROWS

UNKNOWN = {
    "images": {"known_as": None},
    "weights": {"supervised": {"known_as": None}},
    "datasets": {"coco": {"known_as": None}, "lvis": {"known_as": None}},
}
FILES = (
    *("imagenet/train/n01440764/a.jpg", "torchvision/resnet50-0676ba61.pth"),
    *("coco/train2017/a.jpg", "coco/val2017/b.jpg"),
    *("coco/annotations/instances_train2017.json", "coco/annotations/instances_val2017.json"),
    *("lvis/lvis_v1_train.json", "lvis/lvis_v1_val.json"),
)
ROW = "results/imagenet/evaluate/coco_fpn/soco_fpn_100/seed_1/metrics.json"


@pytest.fixture(scope="module")
def paper(repository):
    return load_config(repository / "recipes/paper.yaml")


@pytest.fixture
def of_the_paper(workflow, repository):
    """The workflow with the recipe, in a folder without any data."""
    workflow.overlay = yaml.safe_load((repository / "recipes/paper.yaml").read_text())
    return workflow


def with_stand_ins(workflow):
    """Make empty files where the recipe expects the data; a dry run reads none of them."""
    for name in FILES:
        path = workflow.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def skip_known_checks(workflow):
    """Accept the stand-ins instead of the published data."""
    for section, changes in UNKNOWN.items():
        for key, value in changes.items():
            entry = workflow.overlay[section]
            entry[key] = entry[key] | value if isinstance(value, dict) else value


def jobs(printed):
    """How many jobs of each rule a dry run counts."""
    counts = printed.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", counts, re.MULTILINE)}


def memory_of(rule, printed):
    """The MB that the jobs of a rule request."""
    asked = re.findall(
        rf"^rule {rule}:\n(?:    .*\n)*?    resources: .*?mem_mb=(\d+)", printed, re.MULTILINE
    )
    return set(map(int, asked))


def test_each_pretraining_is_that_of_its_own_recipe(repository, paper):
    assert set(paper.pretrain) == set(RECIPES)
    for name in RECIPES:
        assert (paper.pretrain[name], paper.detector) == recipe(name)
        alone = load_config(repository / "recipes" / f"{name}.yaml")
        assert paper.pretrain[name] == alone.pretrain[name]
        same = ("seed", "results", "images", "proposals", "filter", "detector")
        assert [getattr(paper, key) for key in same] == [getattr(alone, key) for key in same], name


def epochs_of(config, start):
    """The paper's name of an initialisation, and its epochs on ImageNet."""
    if start in config.pretrain:
        settings = config.pretrain[start]
        return ("SoCo*" if len(settings.views) == 4 else "SoCo"), settings.epochs
    return start, {"scratch": None, "supervised": 90}[start]


def test_the_fine_tunings_are_the_papers_rows(paper):
    rows = [
        (
            paper.datasets[task.dataset].format,
            f"R50-{task.architecture.upper()}",
            *epochs_of(paper, start),
        )
        for task in paper.finetune.values()
        for start in task.initialisations
    ]
    assert paper.detector.backbone == "resnet50"
    assert rows == [
        (row.format, row.detector, row.initialisation, row.epochs) for row in PAPER_ROWS
    ]


def test_the_fine_tunings_follow_their_protocols_unchanged(repository, paper):
    spelled = yaml.safe_load((repository / "recipes/paper.yaml").read_text())["finetune"]
    protocols = {}
    for name, task in paper.finetune.items():
        assert set(spelled[name]) == {
            "dataset",
            "protocol",
            "initialisations",
            "processes",
            "workers",
        }
        for start in task.initialisations:
            if start in paper.pretrain:
                assert paper.pretrain[start].architecture == task.architecture, (name, start)
        protocols[name] = task.protocol
    assert protocols == {
        "coco_fpn": "coco_fpn_1x",
        "coco_c4": "coco_c4_1x",
        "lvis_fpn": "lvis_fpn_1x",
    }


def test_a_dry_run_shows_the_whole_matrix(of_the_paper):
    with_stand_ins(of_the_paper)
    skip_known_checks(of_the_paper)
    of_the_paper.overlay["images"]["shards"] = 3
    os.truncate(
        of_the_paper.folder / "data/lvis/lvis_v1_train.json", 1_200_000_000
    )  # of holes, as long as LVIS's
    printed = of_the_paper("all", options=("--dry-run",))
    assert memory_of("check_dataset", printed) == {8000, 12000}
    assert jobs(printed) == {
        "all": 1,
        "report": 1,
        "shard_images": 1,
        **dict.fromkeys(("search_regions", "filter_regions", "apply_fallbacks"), 3),
        "merge_proposals": 1,
        "describe_proposals": 1,
        "pretrain_model": 5,
        "convert_weights": 9,
        "check_dataset": 2,
        "finetune_detector": 11,
        "evaluate_detector": 11,
    }
    alone = jobs(of_the_paper(ROW, options=("--dry-run",)))
    assert [alone[rule] for rule in ("pretrain_model", "convert_weights", "finetune_detector")] == [
        1,
        1,
        1,
    ]
    assert alone["evaluate_detector"] == alone["check_dataset"] == 1


def test_all_missing_data_are_reported_at_once(of_the_paper):
    printed = of_the_paper("all", succeeds=False, options=("--dry-run",))
    for name in (
        "imagenet/train",
        *FILES[1:2],
        "coco/train2017",
        "coco/val2017",
        "coco",
        *FILES[4:],
    ):
        assert printed.count(f"There is no data/{name} (key ") == 1, name
    assert (
        "118,287 images, 860,001 objects of 80 categories, from http://images.cocodataset.org/"
        in printed
    )
    assert "1,281,167 images in 1,000 folders" in printed
    assert not of_the_paper.path().exists()


def test_wrong_data_are_reported_before_anything_runs(of_the_paper):
    with_stand_ins(of_the_paper)
    printed = of_the_paper("all", succeeds=False, options=("--dry-run",))
    for words in (
        "data/imagenet/train (key images.path) has 1 folder(s), not 1,000",
        "data/coco/val2017 (key datasets.coco.val.images) has 1 file(s), not 5,000",
        "has 1 file(s) in train2017, not 118,287",
        "resnet50-0676ba61.pth (key weights.supervised.path) has 0 bytes, not 102,530",
        "or set datasets.coco.known_as to null.",
    ):
        assert words in printed
    of_images = of_the_paper("proposals", succeeds=False, options=("--dry-run",))
    assert of_images.index("images.path") < of_images.index("Other problems in the configuration")


def test_images_of_another_number_are_refused_when_they_are_listed(workflow, folder_of_images):
    path = workflow.folder / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder_of_images / "d.bmp", "d.bmp")
    workflow.overlay["images"] |= {"path": str(path), "layout": "zip", "known_as": "imagenet_1k"}
    printed = workflow("shards", succeeds=False)
    assert re.search(
        r"Error: \S+images\.zip \(images\.path\) contains 1 images, but ImageNet-1k's",
        printed,
    )
    assert "are 1,281,167" in printed
