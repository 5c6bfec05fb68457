import json

import pytest

from soco.cli import main
from soco.transfer.probe.probe import probe_backbone

ROUND = 1e-3


def line(settings, *more):
    sizes = ("--short-side", "64", "--crop", "64", "--workers", "0", "--epochs", "5")
    return ["probe", *more, "--train", settings.train, "--val", settings.val, *sizes]


def test_the_command_prints_and_writes_the_results(settings, weights, tmp_path, capsys):
    out = tmp_path / "out" / "probe.json"
    assert (
        main([*line(settings, str(weights)), "--base-lrs", "0.01", "0.1", "--out", str(out)]) == 0
    )
    printed = capsys.readouterr().out
    found = json.loads(out.read_text())
    expected = settings.model_copy(update={"epochs": 5, "base_lrs": (0.01, 0.1)})
    given = {"probe": None, "initialisation": str(weights)}
    assert found == given | json.loads(json.dumps(probe_backbone(expected, weights, None, seed=1)))
    assert "resnet18, 7 classes, 168 training and 84 validation images (0 skipped)" in printed
    assert (
        f"knn     top-1 {found['knn']['top1']:.1f} %, top-5 {found['knn']['top5']:.1f} %"
        " (neighbours 20)" in printed
    )
    assert f"linear  top-1 {found['linear']['top1']:.1f} %" in printed


def test_the_results_are_consistent(settings):
    found = probe_backbone(settings, None, "resnet18", seed=1)
    assert (found["backbone"], found["classes"], found["commonest_class"]) == (
        "resnet18",
        7,
        14.286,
    )
    for name in ("knn", "linear"):
        share = sum(row[name] * row["images"]["val"] for row in found["per_class"].values()) / 84
        assert found[name]["top1"] == pytest.approx(share, abs=ROUND)
        assert found[name]["top1"] <= found[name]["top5"] <= 100
    assert (
        sum(row["images"]["train"] for row in found["per_class"].values())
        == found["images"]["train"]
        == 168
    )
    assert [row["base_lr"] for row in found["linear"]["choice"]] == [0.003, 0.03, 0.3]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["scratch", "--epochs", "none"], "probes.command.epochs"),
        (["scratch", "--crop", "65"], "crop"),
        (["scratch", "--seed", "-1"], "--seed is -1"),
        (["absent.pth"], "absent.pth"),
    ],
)
def test_invalid_arguments_are_refused(settings, capsys, more, word):
    weights, *options = more
    assert main([*line(settings, weights), *options]) == 1
    assert word in capsys.readouterr().err
