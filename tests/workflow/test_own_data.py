import json
import re
import runpy

import pytest
import yaml


@pytest.fixture
def of_the_page(workflow, repository, laid_over):
    """The workflow with the page's three lines over its recipe, and the page's own set in its place."""
    page = (repository / "docs/own_data.md").read_text()
    recipe = yaml.safe_load((repository / "recipes/own_data_cpu.yaml").read_text())
    three_lines = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    workflow.overlay = laid_over(recipe, three_lines)
    runpy.run_path(str(repository / "tests/data/checks/make_coins.py"))["make_coins"](
        workflow.folder / "coins"
    )
    return workflow


def test_the_page_names_paths_and_rules_that_are_there(of_the_page):
    assert of_the_page.would_run("all") >= {
        "check_dataset",
        "pretrain_model",
        "finetune_detector",
        "report",
    }
    assert of_the_page.would_run("results/own_cpu/evaluate/own/scratch/seed_1/metrics.json") == {
        "check_dataset",
        "finetune_detector",
        "evaluate_detector",
    }


@pytest.mark.slow
def test_the_page_takes_a_folder_to_an_ap(of_the_page):
    path = of_the_page.folder / "coins/val.json"
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        del entry["iscrowd"], entry["area"]
    path.write_text(json.dumps(content))
    of_the_page("all")
    results = of_the_page.folder / "results/own_cpu"
    findings = json.loads((results / "datasets/own/findings.json").read_text())
    assert [found["count"] for found in findings["findings"] if found["kind"] == "mended"] == [
        24,
        24,
    ]
    for start in ("scratch", "soco"):
        metrics = json.loads((results / "evaluate/own" / start / "seed_1/metrics.json").read_text())
        assert (metrics["images"], metrics["instances"]) == (6, 24)
        assert set(metrics["per_category"]) == {"small coin", "large coin"}
        assert metrics["box"]["AP50"] > 30, start
        assert metrics["mask"]["AP50"] > 30, start
    assert "small coin" in (results / "report/report.html").read_text()
