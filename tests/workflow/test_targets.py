"""The targets, and the errors of those that cannot be made."""

import pytest


@pytest.mark.parametrize(
    ("target", "last"),
    [
        ("shards", "shard_images"),
        ("proposals", "merge_proposals"),
        ("quality", "measure_recall"),
        ("pretrain", "pretrain_model"),
        ("convert", "convert_weights"),
        ("finetune", "evaluate_detector"),
        ("probes", "probe_backbone"),
        ("report", "report"),
    ],
)
def test_every_stage_is_a_target(workflow, target, last):
    rules = workflow.would_run(target)
    assert last in rules
    assert ("report" in rules) == (target == "report")


def test_an_unknown_key_is_reported_with_the_nearest(workflow):
    workflow.overlay["pretrain"]["soco"]["epoch"] = 3
    printed = workflow("all", succeeds=False)
    assert "no key 'pretrain.soco.epoch'; did you mean 'epochs'?" in printed


def test_missing_data_are_reported_before_anything_starts(workflow):
    workflow.overlay["datasets"] = {"shapes_coco": {"val": {"annotations": "/absent/val.json"}}}
    printed = workflow("all", succeeds=False)
    assert (
        "There is no /absent/val.json, which the key datasets.shapes_coco.val.annotations names"
        in printed
    )
    assert not workflow.path().exists()
    assert "evaluate_detector" not in workflow.would_run("proposals")


def test_a_missing_file_of_boxes_is_reported_at_once(workflow):
    workflow.overlay["proposals"] = {"engine": "imported", "file": "absent.json"}
    assert "There is no absent.json, which the key proposals.file names" in workflow(
        "proposals", succeeds=False
    )
