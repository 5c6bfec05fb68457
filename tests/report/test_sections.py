"""Sections that are on the page only if there is something to show."""

import dataclasses
import json
import re

import pytest
from user_errors import refused

from soco.report.collect import set_findings
from soco.report.inputs import FindingsFiles, ProbeFiles


def test_a_repaired_validation_split_is_prominent(built, parsed):
    content, page = built
    text = " ".join(parsed(page).text.split())
    assert [entry["val_repaired"] for entry in content["findings"]] == [False, True]
    loud = (
        "The validation split of shapes_lvis was repaired: the AP on this page is measured on the"
        " repaired copy"
    )
    assert text.count(loud) == 1 and "The validation split of shapes_coco was repaired" not in text
    assert "Repaired, validation split: Boxes without an area: 2 (7, 9); left out." in text
    assert "The checks found nothing." in text
    # And once above the table of the task that is scored on it.
    assert text.count("The validation split of shapes_lvis was repaired, see Detection sets.") == 1


def test_counts_of_both_splits_are_shown(built, parsed):
    text = parsed(built[1]).text
    assert re.search(r"training\s*6\s*12\s*3\s*unchanged\s*lvis_train\.json", text)
    assert re.search(r"validation\s*6\s*12\s*3\s*repaired\s*lvis_val\.json", text)


def test_what_the_checks_write_is_read(inputs, tmp_path):
    """The real file of `soco.data.checks`, on the fixture's own set, whose boxes are valid."""
    from soco.config import SplitConfig
    from soco.config.schema import DatasetConfig
    from soco.data.checks.dataset import check_dataset

    files = inputs.evaluations[0]
    content = json.loads(files.annotations.read_text())
    content["annotations"][0]["bbox"] = [20, 24, 0, 0]
    content["annotations"][0]["segmentation"] = []
    (tmp_path / "given.json").write_text(json.dumps(content))
    train, val = (
        SplitConfig(images=str(files.images), annotations=str(path))
        for path in (files.annotations, tmp_path / "given.json")
    )
    checked = check_dataset(DatasetConfig(format="coco", train=train, val=val))
    checked.write(tmp_path / "train.json", tmp_path / "val.json", tmp_path / "findings.json")
    found = set_findings(FindingsFiles("shapes", tmp_path / "findings.json"))
    assert found["dataset"] == "shapes" and found["val_repaired"]
    assert found["splits"]["val"]["objects"] == found["splits"]["train"]["objects"] - 1
    assert any(
        entry["kind"] == "repaired" and entry["split"] == "val" for entry in found["findings"]
    )


def test_a_run_that_stayed_at_its_first_weights_is_named(built, parsed):
    text = parsed(built[1]).text
    assert re.search(r"stem\s*neck\s*distance\s*0\.012\s*0\.141\s*cosine\s*1\.000\s*0\.990", text)
    words = " ".join(text.split())
    assert "together were 0.0094 times as long as the weights; without" in words
    assert "This run stayed near its first weights" in words
    assert "the loss of a constant answer" in words


STAYED, MOVED = {"distance": 0.1, "cosine": 0.99}, {"distance": 0.8, "cosine": 0.7}


@pytest.mark.parametrize(
    "moved",
    [
        {"travel": {"neck": MOVED}, "path_length": None, "expected_distance": None},  # not LARS
        {"travel": {"neck": dict.fromkeys(STAYED)}},
        {"travel": {"neck": STAYED}, "steps": 0},
        {},  # of a version that did not measure it
    ],
)
def test_other_runs_are_not(changed, inputs, build, tmp_path, moved):
    metrics = json.loads(inputs.pretrain[0].metrics.read_text())
    ours = ("travel", "path_length", "expected_distance")
    kept = {key: value for key, value in metrics.items() if key not in ours}
    (tmp_path / "metrics.json").write_text(json.dumps(kept | moved))
    files = dataclasses.replace(inputs.pretrain[0], metrics=tmp_path / "metrics.json")
    _, page = build(changed(pretrain=(files,), evaluations=()), tmp_path)
    assert ("How far the weights moved" in page) is ("travel" in moved)
    assert "stayed near" not in page and "times as long" not in page


def test_the_weights_that_a_pretraining_began_with_are_named(built, parsed):
    text = " ".join(parsed(built[1]).text.split())
    assert "Initialised from a<b: encoder. Drawn from the seed: neck, head." in text


def test_probes_are_a_table(built, parsed):
    content, page = built
    text = " ".join(parsed(page).text.split())
    assert [entry["initialisation"] for entry in content["probes"]] == ["scratch", "soco"]
    assert content["probes"][1]["knn"]["top1"] == 45.67
    settings = "resnet18, 20 neighbours at temperature 0.07, seed 1"
    assert text.count(settings) == 2
    assert "Share of the most common class: 16.7 on photographs." in text
    assert re.search(
        r"1\u202f200 \+ 300\s*1 \+ 0 skipped\s*45\.7\s*88\.8\s*50\.7\s*–", parsed(page).text
    )


def test_a_probe_without_its_accuracies_is_refused(changed, build, tmp_path):
    (tmp_path / "probe.json").write_text('{"backbone": "resnet18"}')
    with refused("report.missing_keys", path=tmp_path / "probe.json"):
        build(changed(probes=(ProbeFiles("p", "soco", tmp_path / "probe.json"),)), tmp_path)


def test_without_probes_and_checks_there_are_no_such_sections(changed, build, tmp_path):
    content, page = build(changed(probes=(), findings=(), evaluations=()), tmp_path)
    assert content["probes"] == content["findings"] == content["results"] == []
    assert not re.search(r'(id="|href="#)(probes|sets|training|categories|detections)"', page)


def test_the_conversions_feature_difference_is_shown(built, parsed):
    content, page = built
    assert [entry["largest_difference"] for entry in content["conversion"]] == [3.14e-7, None]
    text = parsed(page).text
    assert re.search(r"fpn_head\s*199\s*12\u202f345\u202f678\s*2\s*3\.1e-07", text)
    assert re.search(r"c4\s*199\s*12\u202f345\u202f678\s*2\s*not run", text)
