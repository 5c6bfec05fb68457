"""Pretrainings that begin with a file of `weights` or with another pretraining."""

import json
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import load_file

from soco.provenance.audit.checks import failed
from soco.provenance.audit.run import Options, audit

FURTHER = "results/pretrain/further/weights.safetensors"


@pytest.fixture
def further(workflow):
    """The workflow with a pretraining that begins with the first one."""
    workflow.overlay["pretrain"]["further"] = {
        **workflow.overlay["pretrain"]["soco"],
        "initial_weights": "soco",
    }
    return workflow


@pytest.fixture
def supervised(further):
    """The same, but it begins with a supervised ResNet."""
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), further.folder / "resnet18.pth")
    further.overlay["weights"] = {"supervised": {"path": "resnet18.pth"}}
    further.overlay["pretrain"]["further"]["initial_weights"] = "supervised"
    return further


def jobs_of(printed, rule):
    """The wildcards of a rule's jobs in a dry run."""
    blocks = printed.split("\n\n")
    return {
        line.split("run=")[1].strip()
        for block in blocks
        if f"rule {rule}:" in block
        for line in block.splitlines()
        if "wildcards: run=" in line
    }


def test_the_earlier_pretraining_comes_first(further):
    printed = further(FURTHER, options=("--dry-run",))
    assert jobs_of(printed, "pretrain_model") == {"soco", "further"}
    further.overlay["pretrain"]["further"]["initial_weights"] = None
    printed = further(FURTHER, options=("--dry-run",))
    assert jobs_of(printed, "pretrain_model") == {"further"}


def test_a_file_is_prepared_first(supervised):
    printed = supervised(FURTHER, options=("--dry-run",))
    assert jobs_of(printed, "pretrain_model") == {"further"}
    assert "prepare_weights" in supervised.ran
    assert "prepare_weights" in supervised.would_run("all")


def test_a_missing_file_is_reported_before_anything_runs(supervised):
    supervised.overlay["weights"]["supervised"]["path"] = "absent.pth"
    assert "weights.supervised.path" in supervised(FURTHER, succeeds=False)
    assert not supervised.path().exists()


def test_both_kinds_of_weights_are_trained_further(finished_on_own, further, copy_run):
    workflow = copy_run(further, finished_on_own)
    runs = workflow.overlay["pretrain"]
    # They would draw other weights than the first one drew, with the same seed.
    runs["further"] = {**runs["soco"], "initial_weights": "soco", "fresh_weights": "detectron2"}
    runs["from_file"] = {**runs["further"], "initial_weights": "supervised"}
    torch.manual_seed(0)
    resnet = torchvision.models.resnet18().state_dict()
    torch.save(resnet, workflow.folder / "resnet18.pth")
    workflow.overlay["weights"] = {"supervised": {"path": "resnet18.pth"}}
    workflow("pretrain")
    assert workflow.ran - {"pretrain"} == {"prepare_weights", "pretrain_model"}
    # In a few steps of LARS the weights stay near those of the beginning.
    first, further_on, from_file = (
        load_file(workflow.path("pretrain", run, "weights.safetensors"))
        for run in ("soco", "further", "from_file")
    )
    for name in ("encoder.layer4.1.conv2.weight", "head.fc1.weight", "predictor.linear1.weight"):
        torch.testing.assert_close(further_on[name], first[name], rtol=0, atol=1e-4)
    own = resnet["layer4.1.conv2.weight"]
    torch.testing.assert_close(from_file["encoder.layer4.1.conv2.weight"], own, rtol=0, atol=1e-4)
    assert (from_file["head.fc1.weight"] - first["head.fc1.weight"]).abs().max() > 1e-3
    metrics = json.loads(workflow.path("pretrain", "from_file", "metrics.json").read_text())
    assert metrics["initial_weights"] == {
        "name": "supervised",
        "loaded": ["encoder"],
        "drawn": ["neck", "head", "projector", "predictor"],
    }
    record = json.loads(workflow.path("origins/pretrain_model/from_file.json").read_text())
    assert record["inputs"]["initial"] == ["results/initial_weights/supervised.safetensors"]
    log = workflow.path("logs/pretrain_model/further.log").read_text()
    assert "initialised from soco: encoder, neck, head, projector, predictor; the target" in log
    # Another file is another beginning; the first pretraining stays as it is.
    torch.save({k: v * 2 for k, v in resnet.items()}, workflow.folder / "resnet18.pth")
    again = workflow("pretrain", options=("--dry-run",))
    assert jobs_of(again, "pretrain_model") == {"from_file"}


@pytest.mark.slow
def test_a_run_from_a_file_is_reported_and_audited(supervised, monkeypatch):
    supervised.overlay["pretrain"]["soco"] = None
    tasks = {"shapes_coco": None, "shapes_lvis": None}
    supervised.overlay |= {"quality": {"recall": []}, "finetune": tasks, "probes": {"shapes": None}}
    supervised("report", "crate")
    report = json.loads(supervised.path("report/report.json").read_text())
    (entry,) = [entry for entry in report["data"] if entry["kind"] == "weights"]
    assert entry["name"] == "supervised"
    assert set(entry["used_by"]) == {"prepare_weights", "convert_weights"}
    (job,) = [job for job in report["jobs"] if job["rule"] == "pretrain_model"]
    assert "results/initial_weights/supervised.safetensors" in job["inputs"]
    page = supervised.path("report/report.html").read_text()
    assert "Initialised from supervised: encoder." in page
    monkeypatch.chdir(supervised.folder)
    checks = audit(Path("results/report/report.json"), Options(seed=1))
    assert failed(checks) == []
    assert any("prepare_weights" in check.name and "repeated" in check.compared for check in checks)
