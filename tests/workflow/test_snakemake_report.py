import base64
import json
import re
import zipfile
from collections import Counter

import pytest

PHRASES = {
    "report/report.html": "AP by category and against iterations",
    "report/report.json": "soco compare A.json B.json",
    "proposals/summary.json": "what the filter ratio3size0308 kept",
    "quality/statistics.json": "Histograms of the regions and proposals of all images",
    "quality/recall/shapes_coco.json": "cover the annotated objects of shapes_coco",
    "pretrain/soco/metrics.json": "FPN, 2 epochs in batches of 4 with 4 proposals",
    "pretrain/soco/log.jsonl": "The log of the pretraining soco",
    "convert/soco/detectron2_fpn_head.json": "(ResNet, FPN and box head): which tensors",
    "convert/soco/detectron2_c4.json": "(the ResNet alone): which tensors",
    "datasets/shapes_coco/findings.json": "annotations of shapes_coco (COCO format)",
    "datasets/shapes_lvis/findings.json": "annotations of shapes_lvis (LVIS format)",
    "evaluate/shapes_coco/scratch/seed_1/metrics.json": (
        "from scratch with seed 1, 4 iterations in batches of 2."
    ),
    "evaluate/shapes_coco/soco/seed_1/metrics.json": "fine-tuned from soco with seed 1",
    "evaluate/shapes_lvis/soco/seed_1/metrics.json": "by frequency of the categories",
    "evaluate/shapes_lvis/soco/seed_2/metrics.json": "fine-tuned from soco with seed 2",
    "probe/shapes/soco/metrics.json": "a frozen backbone from soco separate the classes",
}
CATEGORIES = {
    "Results",
    "Proposals",
    "Pretraining",
    "Conversion",
    "Detection sets",
    "Detection",
    "Probes",
}


class Page:
    """The content of Snakemake's page; its scripts draw everything from these variables."""

    def __init__(self, page):
        found = dict(
            re.findall(r"^\s*var (workflow_desc|results|categories) = (.*);$", page, re.MULTILINE)
        )
        self.description, self.results, self.categories = (
            json.loads(found[name]) for name in ("workflow_desc", "results", "categories")
        )

    def views(self):
        """The labels of the results that the page lists together."""
        for category in self.categories.values():
            for paths in category.values():
                yield [self.results[path]["labels"] for path in paths]


def text_of(markup):
    return " ".join(re.sub(r"<[^>]+>", "", markup).split())


@pytest.fixture(scope="module")
def page(finished):
    finished(options=("--report", "page.html"))
    return Page((finished.folder / "page.html").read_text())


def test_each_result_is_there_with_its_caption(page, finished):
    assert {path.removeprefix("results/"): path for path in page.results}.keys() == PHRASES.keys()
    for name, phrase in PHRASES.items():
        shown = page.results[f"results/{name}"]
        assert phrase in text_of(shown["caption"])
        content = base64.b64decode(shown["data_uri"].partition("base64,")[2])
        assert content == finished.path(name).read_bytes()


def test_the_description_leads_to_each_category(page):
    assert set(page.categories) == CATEGORIES
    assert "soco (FPN, 3 views, 2 epochs in batches of 4)" in text_of(page.description)
    assert "It is at results/report/report.html" in text_of(page.description)
    linked = re.findall(r"app\.showCategory\('([^']+)'\)", page.description)
    assert {name.replace("%20", " ") for name in linked} == CATEGORIES
    assert "system-message" not in page.description + "".join(
        shown["caption"] for shown in page.results.values()
    )


def test_the_columns_are_numbers_from_the_files(page, finished):
    for path, shown in page.results.items():
        if "/evaluate/" in path:
            metrics = json.loads((finished.folder / path).read_text())
            labels = {name: value.rstrip() for name, value in shown["labels"].items()}
            assert [labels[name] for name in ("task", "initialisation")] == [
                metrics["task"],
                metrics["initialisation"],
            ]
            assert labels["seed"] == str(metrics["seed"])
            assert labels["box AP"] == f"{metrics['box']['AP']:.1f}"
            assert labels["mask AP"] == f"{metrics['mask']['AP']:.1f}"


def test_no_column_becomes_a_switch(page):
    # The page turns a column with two values, each in half of the rows, into a switch, except the
    # first.
    kinds = {tuple(labels) for view in page.views() for labels in view}
    columns = Counter(column for kind in kinds for column in kind)
    assert [column for column, times in columns.items() if times > 1] == []
    for view in page.views():
        others = [[labels[column] for labels in view] for column in list(view[0])[1:]]
        assert len(others) != 1
        assert all(len(set(values)) == len(values) for values in others)


def test_a_report_on_part_of_the_run_shows_that_part(finished):
    finished("convert", options=("--report", "part.zip"))
    with zipfile.ZipFile(finished.folder / "part.zip") as packed:
        part = Page(packed.read("part/report.html").decode())
        assert len(packed.namelist()) == 1 + len(part.results)
    assert set(part.categories) == {"Proposals", "Pretraining", "Conversion"}
    assert "Read first" not in text_of(part.description)
    assert "system-message" not in part.description
