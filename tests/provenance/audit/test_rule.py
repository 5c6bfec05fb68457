import json
import shutil

import pytest


@pytest.fixture
def copied(finished, workflow):
    shutil.copytree(finished.folder, workflow.folder, dirs_exist_ok=True)
    return workflow


@pytest.mark.slow
def test_the_rule_passes_an_unchanged_run_and_finds_an_edited_ap(copied):
    copied("audit")
    assert copied.ran == {"audit"}
    assert "0 FAIL" in copied.path("report", "audit.txt").read_text()
    metrics = copied.path("evaluate", "shapes_coco", "soco", "seed_1", "metrics.json")
    content = json.loads(metrics.read_text())
    content["box"]["AP"] = 50.0
    metrics.write_text(json.dumps(content))
    printed = copied("audit", succeeds=False)
    assert copied.ran == {"audit"}
    assert "checks FAIL, the first: files of evaluate_detector" in printed
    assert json.loads(metrics.read_text())["box"]["AP"] == 50.0
    written = json.loads(copied.path("report", "audit.json").read_text())
    assert written["passed"] is False
    failing = {check["name"] for check in written["checks"] if check["status"] == "FAIL"}
    job = "evaluate_detector, initialisation=soco, seed=1, task=shapes_coco"
    scored = {f"AP of {job}", job}
    assert failing == {"files of evaluate_detector", "report: results", *scored}


def test_the_target_runs_the_rule_and_nothing_else(finished):
    assert finished.would_run("audit") == {"audit"}
