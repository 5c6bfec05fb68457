"""Names that cannot be drawn, printed or written as they are, in figures and on the page."""

import base64
import dataclasses
import json
import unicodedata
import warnings
import xml.etree.ElementTree as ElementTree

import pytest

from soco.cli import main
from soco.config import SplitConfig
from soco.config.schema import DatasetConfig
from soco.data.checks.dataset import check_dataset
from soco.errors import UserError, printable, printable_lines
from soco.provenance.audit.checks import Check, as_table
from soco.report.ap_figures import ap_figure, category_figure
from soco.report.drawing.marks import Mark, draw_marks
from soco.report.figures import loss_figure
from soco.report.quality_figures import recall_figure

# A name, and what is shown of it; None: itself.
NAMES = {
    "\ud800": "\\ud800",
    "cat\udcff.jpg": "cat\\udcff.jpg",
    "bell\x07 null\x00 escape\x1b[31m": "bell\\x07 null\\x00 escape\\x1b[31m",
    "two\nlines\r\n\u2028": "two\\nlines\\r\\n\\u2028",
    "\u202egnp.exe\u2066": "\\u202egnp.exe\\u2066",
    "no character \ufffe\U0001ffff": "no character \\ufffe\\U0001ffff",
    "שלום עולם": None,
    "مرحبا": None,
    "😀 👩\u200d👩\u200d👧 🦄": None,
    "𒀀 e\u0301 \u202f": None,
    "$\\frac": None,
    "100 % {of} {{it}} %s": None,
    "_under": None,
    "<b>&\"'": None,
    "": None,
}
SHOWN = [(name, name if shown is None else shown) for name, shown in NAMES.items()]


def words_of(image):
    svg = base64.b64decode(image.uri.split(",", 1)[1]).decode()
    return [
        (text.text or "")
        for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.mark.parametrize(("name", "shown"), SHOWN)
def test_what_is_shown_is_one_line_in_every_encoding(name, shown):
    assert printable(name) == shown == printable(shown)
    kept = {unicodedata.category(letter) for letter in printable(name).encode("utf-8").decode()}
    assert not kept & {"Cc", "Cs", "Zl", "Zp"}
    assert printable_lines(f"a\n{name}".replace("\r", "")).startswith("a\n")


def test_a_long_name_loses_its_middle():
    assert printable("abcdefghij" * 500, 12) == "abcdefg…ghij"
    assert printable("twelve chars", 12) == "twelve chars"


@pytest.fixture
def task():
    """A task in which categories and initialisations have one name."""

    def make(name):
        points = [{"iteration": step, "box": 1.0 + step, "mask": None} for step in (0, 10)]
        return {
            "task": name,
            "categories": [{"category": name, "ap": {name: {"box": 5.0, "mask": 5.0}}}],
            "summary": [{"label": name}],
            "curves": [{"label": name, "seeds": {"1": points, "2": points}, "mean": points}],
        }

    return make


@pytest.mark.parametrize(("name", "shown"), SHOWN)
def test_every_name_is_drawn_in_the_figures(task, name, shown):
    values = {"drawn": [0.1, 0.2], "all": 0.3}
    engine = {
        "engine": "soco",
        "proposals": dict.fromkeys(("recall_50", "recall_70", "abo"), values),
    }
    curve = [{"step": 1, "loss": -1.0, "lr": 0.1}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of letters that matplotlib's own font lacks
        by_category, while_training = category_figure(task(name)), ap_figure(task(name))
        words_of(loss_figure({"run": name, "curve": curve, "loss_floor": -8}))
        words_of(recall_figure({"dataset": name, "drawn": [1, 4], "engines": [engine]}))
    # As a category, which the tick of an axis names, and in the legend, shortened.
    assert (
        words_of(by_category).count(printable(name, 22)) >= (1 if len(shown) > 22 else 2)
        or not name
    )
    assert shown in words_of(while_training) or not name


def test_long_names_are_shortened_in_figures_and_drawings(task):
    name = "long " * 1000
    words = words_of(category_figure(task(name))) + words_of(ap_figure(task(name)))
    assert max(map(len, words)) == 40 and any("…" in word for word in words)


@pytest.mark.parametrize(("name", "shown"), SHOWN)
def test_every_name_is_drawn_next_to_a_box(photograph, name, shown):
    rgb = photograph("coffee_half")
    named, plain = (
        draw_marks(rgb, [Mark((20, 20, 90, 90), "#ff0000", label)], 320, 16)[0]
        for label in (name, "")
    )
    assert (named != plain) == bool(name)


@pytest.fixture
def hostile(inputs, tmp_path):
    """Every name as a category; one as task, initialisation, run and file."""
    files = inputs.evaluations[0]
    name, metrics = "\ud800$\\frac<b>\u202e", json.loads(files.metrics.read_text())
    entry = metrics["per_category"]["disc"]
    metrics |= {"task": name, "initialisation": name, "dataset": name}
    metrics["per_category"] = dict.fromkeys(NAMES, entry)
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    content = json.loads(files.annotations.read_text())
    content["categories"] = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    for number, annotation in enumerate(content["annotations"]):
        annotation["category_id"] = 1 + number % len(NAMES)
    (tmp_path / "val.json").write_text(json.dumps(content))
    changes = {"task": name, "initialisation": name, "annotations": tmp_path / "val.json"}
    changed = dataclasses.replace(files, **changes, metrics=tmp_path / "metrics.json")
    found = json.loads(inputs.findings[1].findings.read_text())
    found["findings"][0]["sentence"] = f"Left out: {name}\n."
    (tmp_path / "findings.json").write_text(json.dumps(found))
    findings = (
        dataclasses.replace(inputs.findings[0], dataset=name, findings=tmp_path / "findings.json"),
    )
    run = dataclasses.replace(inputs.pretrain[0], run=name)
    pretrain = {name: inputs.config["pretrain"]["soco"]}
    config = inputs.config | {"pretrain": pretrain, "results": f"{name}\nresults"}
    return dataclasses.replace(
        inputs, evaluations=(changed,), findings=findings, pretrain=(run,), config=config
    )


def test_a_page_of_such_names_is_complete_and_escaped(hostile, build, parsed, tmp_path):
    content, page = build(hostile, tmp_path)
    shown = parsed(page)
    assert "could not be drawn" not in page and "<b>" not in page
    for name, printed in SHOWN:
        assert printed in shown.text, ascii(name)
    assert "\\ud800$\\frac<b>\\u202e: Mask R-CNN on" in shown.text
    hidden = [letter for letter in page if printable(letter) != letter and letter != "\n"]
    assert hidden == []
    # The data have the names themselves.
    assert [entry["category"] for entry in content["results"][0]["categories"]] == list(NAMES)
    # Texts of several lines stay so.
    assert "\nimages:\n" in shown.text.replace("\r", "") and "git checkout" in shown.text


def test_a_comparison_of_such_reports_is_printed(hostile, build, built, tmp_path, capsys):
    build(hostile, tmp_path)
    (tmp_path / "other.json").write_text(json.dumps(built[0]))
    assert main(["compare", str(tmp_path / "report.json"), str(tmp_path / "other.json")]) == 1
    printed = capsys.readouterr().out
    assert "pretrain.\\ud800$\\frac<b>\\u202e: only in A" in printed
    assert [letter for letter in printed if printable(letter) != letter and letter != "\n"] == []


def test_checks_of_such_files_are_printed(inputs, tmp_path):
    files = inputs.evaluations[0]
    content = json.loads(files.annotations.read_text())
    content["images"][0]["file_name"] = "\ud800\n\x1b[2J.png"
    (tmp_path / "val.json").write_text(json.dumps(content))
    train, val = (
        SplitConfig(images=str(files.images), annotations=str(path))
        for path in (files.annotations, tmp_path / "val.json")
    )
    printed = check_dataset(DatasetConfig(format="coco", train=train, val=val)).describe("shapes")
    assert "\\ud800\\n\\x1b[2J.png" in printed and printed.encode("utf-8")


def test_an_audits_table_and_an_error_are_printable():
    table = as_table([Check("AP of \ud800\n", "the report", "FAIL", "\u202e is 1\x07\n.")])
    assert table.encode("utf-8").startswith(
        b"FAIL  AP of \\ud800\\n  the report  \\u202e is 1\\x07\\n.\n\n"
    )
    assert str(UserError("There is no \udcff.png;\nadd it.")) == "There is no \\udcff.png;\nadd it."
