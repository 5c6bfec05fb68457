import json
import sys

import numpy as np
import pytest
import torch
import torchvision

from soco.config import DatasetConfig, DetectorConfig, SplitConfig
from soco.errors import UserError
from soco.transfer.convert import convert_file, write_detectron2
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.checkpoints import copy_lines
from soco.transfer.detect.trainer import Trainer


@pytest.fixture
def places(tmp_path):
    """Where a fine-tuning writes."""
    return {
        "output": tmp_path / "weights.pth",
        "loading_report": tmp_path / "loading.json",
        "history": tmp_path / "history.jsonl",
        "curve": tmp_path / "ap.jsonl",
        "training": tmp_path / "training.json",
        "checkpoint_dir": tmp_path / "checkpoints",
    }


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory):
    """Sizes with a ResNet-50, and its weights as torchvision gives them, converted for a C4 detector."""
    folder = tmp_path_factory.mktemp("resnet50")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet50().state_dict(), folder / "resnet50.pth")
    convert_file(folder / "resnet50.pth", "detectron2_c4", folder / "c4.pkl", folder / "c4.json")
    return DetectorConfig(head_channels=16), folder / "c4.pkl"


def killed(*arguments):
    raise RuntimeError("killed")


def stop_at(monkeypatch, iteration):
    """Make training fail when it reaches an iteration, as a job that is killed does."""
    run_step = Trainer.run_step

    def failing(self):
        if self.iter == iteration:
            raise RuntimeError("killed")
        run_step(self)

    monkeypatch.setattr(Trainer, "run_step", failing)


def test_a_stopped_training_goes_on_from_its_checkpoint(
    settings, detector, datasets, converted, places, monkeypatch, capsys, checked_archives
):
    longer = settings.model_copy(update={"iterations": 4})
    arguments = ("tiny", longer, detector, datasets["coco"], converted)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        stop_at(patch, 2)
        finetune(*arguments, **places, seed=1)
    assert not places["output"].exists()

    finetune(*arguments, **places, seed=1)
    assert checked_archives == ["model_0000001.pth", "model_final.pth"]
    said = capsys.readouterr().out
    assert "total batch of 2 images" in said
    assert "learning rate 0.02" in said
    assert "4 iterations" in said
    assert "Goes on from a checkpoint after 2 of 4 iterations" in said
    assert json.loads(places["loading_report"].read_text())["weights"] == str(converted)
    assert json.loads(places["history"].read_text().splitlines()[-1])["iteration"] == 3
    assert not places["checkpoint_dir"].exists()


def test_checkpoints_of_other_settings_are_not_gone_on_from(
    settings, detector, datasets, places, monkeypatch, capsys
):
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        stop_at(patch, 1)
        finetune("tiny", settings, detector, datasets["coco"], None, **places, seed=1)
    finetune("tiny", settings, detector, datasets["coco"], None, **places, seed=2)
    said = capsys.readouterr().out
    assert "of other settings or input files; they are removed" in said
    assert "Goes on" not in said


def test_stopped_and_resumed_it_ends_with_the_same_bits(
    settings, detector, datasets, places, monkeypatch
):
    """Wide and high images wait for batches of their own, masks are drawn, PreciseBN and scores come in between."""
    changes = {
        "iterations": 5,
        "evaluate_every": 2,
        "precise_bn_batches": 2,
        "checkpoint_iterations": 3,
    }
    longer = settings.model_copy(update={**changes, "repeat_threshold": 0.9})
    ends = []
    for stop, workers in ((None, 1), (4, 0), (4, 1)):
        arguments = (
            "tiny",
            longer.model_copy(update={"workers": workers}),
            detector,
            datasets["mixed"],
            None,
        )
        with monkeypatch.context() as patch:
            if stop is not None:
                stop_at(patch, stop)
                with pytest.raises(RuntimeError, match="killed"):
                    finetune(*arguments, **places, seed=1)
        finetune(*arguments, **places, seed=1)
        model = torch.load(places["output"], weights_only=True)["model"]
        ends.append((model, places["curve"].read_text()))
    curve = [json.loads(line) for line in ends[0][1].splitlines()]
    assert [point["iteration"] for point in curve] == [2, 4]
    assert all(0 <= point["mask"]["AP50"] <= 100 for point in curve)
    for model, told in ends[1:]:
        assert told == ends[0][1]
        assert [
            name for name, value in model.items() if not torch.equal(value, ends[0][0][name])
        ] == []


@pytest.mark.parametrize(
    "cut", ["its note of the last checkpoint", "the copy of the final weights"]
)
def test_a_kill_while_files_are_written_costs_nothing(
    settings, detector, datasets, places, monkeypatch, cut
):
    arguments = ("tiny", settings, detector, datasets["coco"], None)
    finetune(*arguments, **places, seed=1)
    whole = torch.load(places["output"], weights_only=True)["model"]
    places["output"].unlink()
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        if "note" in cut:
            stop_at(patch, 1)
        else:
            patch.setattr(
                sys.modules["soco.transfer.detect.finetune"], "write_final_weights", killed
            )
        finetune(*arguments, **places, seed=1)
    if "note" in cut:
        (places["checkpoint_dir"] / "last_checkpoint").write_text("model_00")
    finetune(*arguments, **places, seed=1)
    again = torch.load(places["output"], weights_only=True)["model"]
    assert [name for name, value in whole.items() if not torch.equal(value, again[name])] == []


def test_of_a_log_that_a_kill_cut_the_later_line_of_an_iteration_stays(tmp_path):
    lines = ['{"iteration": 19, "a": 1}', '{"iteration": 39, "a": 1}', '{"iterat{"iteration": 59}']
    lines += ['{"iteration": 39, "a": 2}', '{"iteration": 7']
    (tmp_path / "log").write_text("\n".join(lines))
    copy_lines(tmp_path / "log", tmp_path / "copy")
    assert (tmp_path / "copy").read_text().splitlines() == [lines[0], lines[3]]
    copy_lines(tmp_path / "none", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == ""


def test_two_processes_share_a_batch_and_the_statistics_of_norms(
    settings, detector, datasets, places, capfd
):
    still = settings.model_copy(update={"evaluate_every": 1, "base_lr": 1e-12})
    shared = still.model_copy(update={"processes": 2})
    finetune("tiny", shared, detector, datasets["coco"], None, **places, seed=1)
    assert "2 process(es) on cpu" in capfd.readouterr().out
    told = json.loads(places["training"].read_text())
    assert (told["processes"], told["norm"]) == (2, "naiveSyncBN_N over 2 processes")
    assert json.loads(places["curve"].read_text())["iteration"] == 1
    together = torch.load(places["output"], weights_only=True)["model"]
    finetune("tiny", still, detector, datasets["coco"], None, **places, seed=1)
    alone = torch.load(places["output"], weights_only=True)["model"]
    assert together.keys() == alone.keys()
    means = [
        name for name in alone if name.startswith("backbone.") and name.endswith("running_mean")
    ]
    assert len(means) == 28
    for name in means:  # the same images, augmented alike, whichever process holds which
        torch.testing.assert_close(together[name], alone[name], rtol=1e-3, atol=1e-4)


def test_what_bad_input_makes_a_process_say_is_one_sentence(
    settings, detector, datasets, places, tmp_path
):
    odd = tmp_path / "odd.pkl"
    write_detectron2(odd, {"stem.conv1.weight": np.zeros((1, 1), np.float32)})
    shared = settings.model_copy(update={"processes": 2})
    with pytest.raises(
        UserError, match=r"^1 tensor\(s\) of .*odd\.pkl have no place .* `detector` has\.$"
    ):
        finetune("tiny", shared, detector, datasets["coco"], odd, **places, seed=1)


def test_losses_that_are_not_finite_are_said_in_one_sentence(settings, detector, datasets, places):
    steep = settings.model_copy(update={"base_lr": 1e6, "iterations": 6, "warmup_iterations": 0})
    with pytest.raises(
        UserError,
        match=r"^The losses or boxes are not finite after step \d, .*: lower base_lr, or raise",
    ):
        finetune("tiny", steep, detector, datasets["coco"], None, **places, seed=1)


def test_a_c4_detector_is_trained_and_scored(settings, datasets, places, resnet50, tmp_path):
    detector, weights = resnet50
    c4 = settings.model_copy(update={"architecture": "c4"})
    finetune("tiny", c4, detector, datasets["coco"], weights, **places, seed=1)
    loaded = json.loads(places["loading_report"].read_text())
    fresh = (
        "proposal_generator.",
        "roi_heads.box_predictor.",
        "roi_heads.mask_head.",
        "roi_heads.res5.norm.",
    )
    assert loaded["taken"]["tensors"] == 318
    assert loaded["unused_names"] == []
    assert [name for name in loaded["fresh_names"] if not name.startswith(fresh)] == []
    assert any(name.startswith("roi_heads.res5.norm.") for name in loaded["fresh_names"])
    scored = (
        places["output"],
        places["training"],
        tmp_path / "metrics.json",
        tmp_path / "detections.json",
    )
    result = evaluate("tiny", "supervised", c4, detector, datasets["coco"], *scored, seed=1)
    assert (result["protocol"]["architecture"], result["protocol"]["head"]) == ("c4", "res5 + norm")
    assert 0 <= result["mask"]["AP"] <= 100


def test_one_seed_gives_one_result(settings, detector, datasets, places):
    finals = []
    for _ in range(2):
        finetune("tiny", settings, detector, datasets["rle"], None, **places, seed=1)
        finals.append(torch.load(places["output"], weights_only=True)["model"])
    assert finals[0].keys() == finals[1].keys()
    assert [
        name for name, value in finals[0].items() if not torch.equal(finals[1][name], value)
    ] == []


def test_bad_input_is_refused_before_training(settings, detector, datasets, places, tmp_path):
    absent = SplitConfig(images=str(tmp_path), annotations=str(tmp_path / "absent.json"))
    broken = DatasetConfig(train=datasets["coco"].train, val=absent)
    with pytest.raises(UserError, match=r"absent\.json"):
        finetune("tiny", settings, detector, broken, None, **places, seed=1)
    with pytest.raises(UserError, match=r"no converted weights at .*absent\.pkl"):
        finetune(
            "tiny", settings, detector, datasets["coco"], tmp_path / "absent.pkl", **places, seed=1
        )
    assert not places["checkpoint_dir"].exists()
