"""A figure that cannot be drawn leaves a gap on the page, and the report fails."""

import dataclasses
import json

import pytest
from user_errors import refused

from soco.errors import UserError
from soco.report.build import build_report
from soco.report.drawn import Drawer


@pytest.fixture
def damaged(inputs, tmp_path):
    """A loss that is not a number, and a detection without a box."""
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": "<b>high</b>", "lr": 0.1}\n')
    (tmp_path / "found.json").write_text('[{"image_id": 0, "category_id": 1, "score": 0.9}]')
    runs = (dataclasses.replace(inputs.pretrain[0], log=tmp_path / "log.jsonl"),)
    found = [
        dataclasses.replace(files, detections=tmp_path / "found.json")
        if files.task == "lvis"
        else files
        for files in inputs.evaluations
    ]
    return dataclasses.replace(inputs, pretrain=runs, evaluations=tuple(found))


def test_the_reason_replaces_the_figure_and_the_page_is_kept(
    damaged, built, parsed, tmp_path, caplog
):
    html, data = tmp_path / "report.html", tmp_path / "report.json"
    kept = tmp_path / "incomplete"
    with refused("report.figures_failed", count="2 figures", page=kept / "report.html") as caught:
        build_report(damaged, html, data)
    figures = caught.value.values["figures"]
    assert figures.startswith("loss of soco (ValueError: ")
    assert figures.endswith("; detections of lvis (KeyError: 'bbox')")
    # A page under the report's own name would pass for a complete one.
    assert not html.exists() and not data.exists()
    page = (kept / "report.html").read_text()
    text = " ".join(parsed(page).text.split())
    assert "The figure “loss of soco” could not be drawn: ValueError: " in text
    assert "The figure “detections of lvis” could not be drawn: KeyError: 'bbox'" in text
    # Four images with three columns, and a curve.
    assert len(parsed(page).all("img")) == len(parsed(built[1]).all("img")) - 4 * 3 - 1
    content = json.loads((kept / "report.json").read_text())
    assert [entry["figure"] for entry in content["failed_figures"]] == [
        "loss of soco",
        "detections of lvis",
    ]
    assert content["results"] == built[0]["results"] and "failed_figures" not in built[0]
    assert "Traceback" in caplog.text and "KeyError: 'bbox'" in caplog.text


def test_the_report_is_made_again_when_the_cause_is_gone(damaged, inputs, tmp_path):
    html, data = tmp_path / "report.html", tmp_path / "report.json"
    with refused("report.figures_failed"):
        build_report(damaged, html, data)
    build_report(inputs, html, data)
    assert "could not be drawn" not in html.read_text() and data.exists()
    assert not (tmp_path / "incomplete").exists()


def test_a_users_file_in_the_folder_is_kept(inputs, tmp_path):
    (tmp_path / "incomplete").mkdir()
    (tmp_path / "incomplete" / "notes.txt").write_text("mine")
    build_report(inputs, tmp_path / "report.html", tmp_path / "report.json")
    assert [path.name for path in (tmp_path / "incomplete").iterdir()] == ["notes.txt"]


def test_a_reason_is_one_short_escaped_line(parsed):
    def work():
        raise ValueError("<script>\n" + "x" * 9000 + "\ud800")

    drawer = Drawer()
    drawn = drawer.draw("a\u202eb", work)
    assert drawer.failed == [drawn] and drawn.figure == "a\\u202eb"
    assert drawn.reason.startswith("ValueError: <script>\\nxxx") and len(drawn.reason) == 300
    assert drawn.reason.endswith("\\ud800")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_error_that_stops_the_report_is_raised(error):
    def work():
        raise error

    with pytest.raises(error):
        Drawer().draw("figure", work)


def test_a_missing_file_still_ends_the_report(inputs, tmp_path):
    gone = dataclasses.replace(inputs.evaluations[0], detections=tmp_path / "gone.json")
    with refused("report.file_missing", path=tmp_path / "gone.json"):
        build_report(
            dataclasses.replace(inputs, evaluations=(gone,)),
            tmp_path / "report.html",
            tmp_path / "report.json",
        )
    assert not (tmp_path / "incomplete").exists()
    with pytest.raises(UserError, match=r"There is no .*gone\.arrow"):
        build_report(
            dataclasses.replace(inputs, arrow=tmp_path / "gone.arrow"),
            tmp_path / "r.html",
            tmp_path / "r.json",
        )
