import json
import re
import runpy

import pytest
import yaml


@pytest.fixture
def page_workflow(workflow, repository, laid_over):
    """The workflow with the page's three lines over its recipe, and the page's coins."""
    page = (repository / "docs/own_data.md").read_text()
    recipe = yaml.safe_load((repository / "recipes/own_data_cpu.yaml").read_text())
    three_lines = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    workflow.overlay = laid_over(recipe, three_lines)
    runpy.run_path(str(repository / "tests/data/checks/make_coins.py"))["make_coins"](
        workflow.folder / "coins"
    )
    return workflow


def test_the_paths_and_rules_of_the_page_exist(page_workflow):
    assert page_workflow.would_run("all") >= {
        "check_dataset",
        "pretrain_model",
        "finetune_detector",
        "report",
    }
    assert page_workflow.would_run("results/own_cpu/evaluate/own/scratch/seed_1/metrics.json") == {
        "check_dataset",
        "finetune_detector",
        "evaluate_detector",
    }


@pytest.mark.slow
def test_the_page_leads_from_a_folder_to_an_ap(page_workflow):
    path = page_workflow.folder / "coins/val.json"
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        del entry["iscrowd"], entry["area"]
    path.write_text(json.dumps(content))
    page_workflow("all")
    results = page_workflow.folder / "results/own_cpu"
    findings = json.loads((results / "datasets/own/findings.json").read_text())
    repaired = {it["code"]: it["count"] for it in findings["findings"] if it["kind"] == "repaired"}
    assert repaired == {"area.none": 24, "crowd.no_iscrowd": 24}
    for name in ("scratch", "soco"):
        metrics = json.loads((results / "evaluate/own" / name / "seed_1/metrics.json").read_text())
        assert (metrics["images"], metrics["instances"]) == (6, 24)
        assert set(metrics["per_category"]) == {"small coin", "large coin"}
        assert metrics["box"]["AP50"] > 30, name
        assert metrics["mask"]["AP50"] > 30, name
    assert "small coin" in (results / "report/report.html").read_text()
