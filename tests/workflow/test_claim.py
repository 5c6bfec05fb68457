"""The target `claim`, and the recipe of docs/claim.md."""

import itertools
import json

import pytest

from soco.config import load_config
from soco.report.pooling import recipes_of


@pytest.fixture(scope="module")
def claim(repository):
    return load_config(repository / "recipes" / "claim.yaml")


def test_the_target_is_the_report_of_a_comparison(workflow):
    workflow.overlay["finetune"]["shapes_lvis"]["initialisations"] = ["scratch", "soco"]
    assert {"pretrain_model", "evaluate_detector", "report"} <= workflow.would_run("claim")


def test_without_two_seeds_and_initialisations_there_is_nothing_to_compare(workflow):
    # shapes_coco has two initialisations, shapes_lvis two seeds.
    printed = workflow("claim", succeeds=False, options=("--dry-run",))
    assert "There is nothing to compare" in printed


def test_the_recipe_has_two_pretrainings_of_each_kind_and_untrained_weights(claim):
    recipes = recipes_of(claim.model_dump(mode="json"))
    assert recipes == {
        "soco": "soco",
        "soco_2": "soco",
        "whole": "whole",
        "whole_2": "whole",
        "start": "start",
    }
    assert claim.pretrain["start"].steps == 0
    assert claim.pretrain["whole"].boxes == "whole"
    for name in ("whole", "start"):
        own, soco = (claim.pretrain[each].model_dump() for each in (name, "soco"))
        changed = {key for key in own if own[key] != soco[key]}
        assert changed == {"boxes" if name == "whole" else "steps"}


def test_the_recipe_compares_the_same_with_few_and_many_labels(claim):
    few, many = claim.finetune.values()
    assert few.model_copy(update={"dataset": many.dataset}) == many
    assert (few.initialisations[0], len(few.seeds)) == ("scratch", 5)
    limits = [claim.datasets[task.dataset].max_train_images for task in (few, many)]
    assert limits == [60, 200] and claim.demo.train >= 200
    small, large = (claim.datasets[task.dataset] for task in (few, many))
    assert small.model_copy(update={"max_train_images": 200}) == large


def test_the_page_names_what_the_recipe_compares(repository, claim):
    page = (repository / "docs" / "claim.md").read_text()
    names = set(itertools.chain.from_iterable(t.initialisations for t in claim.finetune.values()))
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.slow
def test_a_small_comparison_runs_to_its_section(workflow):
    """Scratch, untrained weights, and two pretrainings, with nine labelled images."""
    overlay = workflow.overlay
    soco = overlay["pretrain"]["soco"]
    overlay["pretrain"] |= {"soco_2": soco | {"seed": 2}, "start": soco | {"steps": 0}}
    overlay["datasets"]["shapes_coco"]["max_train_images"] = 9
    overlay["finetune"] = {
        "labels_9": overlay["finetune"]["shapes_coco"]
        | {"initialisations": ["scratch", "start", "soco", "soco_2"], "seeds": [1, 2]}
        | {"evaluate_every": 0}
    }
    overlay |= {"probes": {}, "quality": {"recall": []}}
    workflow("claim")
    report = json.loads(workflow.path("report", "report.json").read_text())
    (task,) = report["results"]
    assert [(entry["label"], entry["baseline"]) for entry in task["paired"]] == [
        ("start", "scratch"),
        ("soco (2 pretrainings)", "scratch"),
        ("soco (2 pretrainings)", "start"),
    ]
    assert {entry["n"] for entry in task["paired"]} == {2}
    assert [spread["label"] for spread in task["pretrainings"]] == ["soco (2 pretrainings)"]
    seeds = {run["run"]: run["seed"] for run in report["pretraining"]}
    assert seeds == {"soco": 1, "soco_2": 2, "start": 1}
    (checked,) = report["findings"]
    assert (checked["splits"]["train"]["images"], checked["splits"]["train"]["part"]) == (9, True)
    jobs = {job["rule"]: job["seed"] for job in report["jobs"]}
    assert jobs["check_dataset"] == 1
    page = workflow.path("report", "report.html").read_text()
    assert "Does pretraining help?" in page and "a part, unchanged" in page
