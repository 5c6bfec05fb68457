"""If a figure cannot be drawn, the job fails, its page is kept, and the next run repairs it."""

import json
import re
import shutil

import pytest


@pytest.mark.slow
def test_the_page_of_a_failed_report_is_kept_until_a_report_succeeds(finished, workflow):
    shutil.copytree(finished.folder, workflow.folder, dirs_exist_ok=True)
    log, report = workflow.path("pretrain", "soco", "log.jsonl"), workflow.path("report")
    intact = log.read_text()
    log.write_text(re.sub(r'"loss": [-\d.e]+', '"loss": "high"', intact, count=1))
    printed = workflow("report", succeeds=False)
    assert workflow.ran == {"report"}
    assert re.search(
        r"1 figure of the report could not be drawn: loss of soco \(ValueError:"
        r" .*incomplete/report\.html",
        printed,
    )
    assert {path.name for path in report.iterdir()} == {"incomplete"}
    assert (
        "The figure “loss of soco” could not be drawn"
        in (report / "incomplete" / "report.html").read_text()
    )
    content = json.loads((report / "incomplete" / "report.json").read_text())
    assert [figure["figure"] for figure in content["failed_figures"]] == ["loss of soco"]
    log.write_text(intact)
    workflow("report")
    assert workflow.ran == {"report"}
    assert {path.name for path in report.iterdir()} == {"report.html", "report.json"}
