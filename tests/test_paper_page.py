"""docs/paper.md agrees with the recipe, the known sets and the report."""

import re

import pytest
import yaml

from soco.config import check_config, load_config
from soco.config.known import KNOWN
from soco.report.paper import PAPER_ROWS


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs/paper.md").read_text()


@pytest.fixture(scope="module")
def paper(repository):
    return load_config(repository / "recipes/paper.yaml")


def cells_below(page, header):
    """The cells of the table whose header begins with this text."""
    _, _, table = page.partition(f"\n{header}")
    rows = table.partition("\n\n")[0].split("\n")[2:]
    return [[cell.strip(" `\\") for cell in row.split("|")[1:-1]] for row in rows if row]


def test_the_papers_results_are_those_of_the_report(page):
    listed = [
        (data, detector, start.replace("\\*", "*"), epochs, *map(float, figures))
        for data, detector, start, epochs, *figures in cells_below(
            page, "| data | detector | initialisation |"
        )
    ]
    names = {"coco": "COCO", "lvis": "LVIS v1"}
    assert listed == [
        (
            names[row.format],
            row.detector,
            row.initialisation,
            str(row.epochs or "–"),
            *row.box,
            *row.mask,
        )
        for row in PAPER_ROWS
    ]


def test_the_page_has_every_count_and_source_of_the_known_sets(page):
    (of_imagenet,), sets, (weights,) = (
        list(part.values()) for part in (KNOWN.images, KNOWN.datasets, KNOWN.weights)
    )
    counts = [of_imagenet.images, of_imagenet.path.folders, of_imagenet.path.bytes, weights.bytes]
    for known in sets:
        for split in (known.train, known.val):
            counts += split.counts.model_dump().values()
    assert [count for count in counts if f"{count:,}" not in page] == []
    of_coco = KNOWN.datasets["coco_2017"]
    sources = [
        weights.source,
        *(part.source for part in (of_coco.train.images, of_coco.val.images)),
    ]
    assert [
        source for source in (*sources, of_coco.train.annotations.source) if source not in page
    ] == []


def test_the_overlay_of_the_page_is_accepted(page, repository, paper):
    (example,) = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    raw = paper.model_dump(mode="json")
    for section, change in example.items():
        for key, value in change.items():
            raw[section][key] = raw[section][key] | value if isinstance(value, dict) else value
    assert check_config(raw).images.layout == "tar"


def test_the_two_step_table_has_every_row_of_the_recipe(page, paper):
    listed = [
        (task, start)
        for task, start, *_ in cells_below(
            page, "| fine-tuning | initialisation | tensors loaded |"
        )
    ]
    assert listed == [
        (name, start) for name, task in paper.finetune.items() for start in task.initialisations
    ]
    assert [run for run, *_ in cells_below(page, "| pretraining | tensors |")] == list(
        paper.pretrain
    )


def test_the_page_counts_what_is_trained_on(page, paper):
    epochs = sum(settings.epochs for settings in paper.pretrain.values())
    steps = sum(
        len(task.initialisations) * task.iterations * task.batch_size
        for task in paper.finetune.values()
    )
    assert f"{epochs:,} epochs" in page
    assert f"{steps / 1e6:.1f} million images" in page
    assert f"{epochs * KNOWN.images['imagenet_1k'].images / 1e9:.1f} billion" in page
    targets = set(
        re.findall(r"snakemake results/imagenet/evaluate/(\w+)/(\w+)/seed_1/metrics\.json", page)
    )
    assert targets == {("coco_fpn", "soco_fpn_100"), ("coco_c4", "supervised")}
    assert all(start in paper.finetune[task].initialisations for task, start in targets)
