import json
import sys

import numpy as np
import pytest
import torch
import torchvision
from user_errors import refused

from soco.config import DatasetConfig, DetectorConfig, SplitConfig
from soco.errors import UserError
from soco.transfer.convert import convert_file, write_detectron2
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.checkpoints import copy_lines
from soco.transfer.detect.trainer import Trainer


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory):
    """Sizes with a ResNet-50, and torchvision's weights converted for a C4 detector."""
    folder = tmp_path_factory.mktemp("resnet50")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet50().state_dict(), folder / "resnet50.pth")
    convert_file(folder / "resnet50.pth", "detectron2_c4", folder / "c4.pkl", folder / "c4.json")
    return DetectorConfig(head_channels=16), folder / "c4.pkl"


def killed(*arguments):
    raise RuntimeError("killed")


def stop_at(monkeypatch, iteration):
    """Make training fail when it reaches an iteration, like a killed job."""
    run_step = Trainer.run_step

    def failing(self):
        if self.iter == iteration:
            raise RuntimeError("killed")
        run_step(self)

    monkeypatch.setattr(Trainer, "run_step", failing)


def interrupt(monkeypatch, job, iteration):
    """Fine-tune until an iteration is reached."""
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        stop_at(patch, iteration)
        finetune(job)


def trained(job):
    return torch.load(job.folder / "weights.pth", weights_only=True)["model"]


def differing(one, other):
    assert one.keys() == other.keys()
    return [name for name, value in one.items() if not torch.equal(value, other[name])]


def test_an_interrupted_training_resumes_from_its_checkpoint(
    finetuning, converted, monkeypatch, capsys, checked_archives
):
    job = finetuning({"iterations": 4}, weights=converted)
    interrupt(monkeypatch, job, 2)
    assert not (job.folder / "weights.pth").exists()

    finetune(job)
    assert checked_archives == ["model_0000001.pth", "model_final.pth"]
    printed = capsys.readouterr().out
    assert "4 iterations with a total batch of 2 images, learning rate 0.02" in printed
    assert "Resumes from the checkpoint after 2 of 4" in printed
    assert json.loads((job.folder / "loading.json").read_text())["weights"] == str(converted)
    last = (job.folder / "history.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["iteration"] == 3
    assert not job.checkpoints.exists()


def test_a_training_does_not_resume_from_checkpoints_of_other_settings(
    finetuning, monkeypatch, capsys
):
    interrupt(monkeypatch, finetuning(), 1)
    finetune(finetuning(seed=2))
    printed = capsys.readouterr().out
    assert "with other settings or input files; they are removed" in printed
    assert "Resumes" not in printed


def test_an_interrupted_training_ends_with_the_same_bits(finetuning, datasets, monkeypatch):
    """Images of two shapes wait for batches, masks are drawn, PreciseBN and scores interrupt."""
    tuned = {
        "iterations": 5,
        "evaluate_every": 2,
        "precise_bn_batches": 2,
        "checkpoint_iterations": 3,
        "repeat_threshold": 0.9,
    }
    ends = []
    for stop, workers in ((None, 1), (4, 0), (4, 1)):
        job = finetuning(tuned | {"workers": workers}, dataset=datasets["mixed"])
        if stop is not None:
            interrupt(monkeypatch, job, stop)
        finetune(job)
        ends.append((trained(job), (job.folder / "ap.jsonl").read_text()))
    curve = [json.loads(line) for line in ends[0][1].splitlines()]
    assert [point["iteration"] for point in curve] == [2, 4]
    assert all(0 <= point["mask"]["AP50"] <= 100 for point in curve)
    for model, lines in ends[1:]:
        assert lines == ends[0][1]
        assert differing(model, ends[0][0]) == []


@pytest.mark.parametrize("cut", ["the pointer to the last checkpoint", "the final weights"])
def test_a_kill_during_a_write_loses_nothing(finetuning, monkeypatch, cut):
    job = finetuning()
    finetune(job)
    uninterrupted = trained(job)
    (job.folder / "weights.pth").unlink()
    if "pointer" in cut:
        interrupt(monkeypatch, job, 1)
        (job.checkpoints / "last_checkpoint").write_text("model_00")
    else:
        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
            module = sys.modules["soco.transfer.detect.finetune"]
            patch.setattr(module, "write_final_weights", killed)
            finetune(job)
    finetune(job)
    assert differing(uninterrupted, trained(job)) == []


def test_the_later_line_of_an_iteration_is_kept(tmp_path):
    lines = ['{"iteration": 19, "a": 1}', '{"iteration": 39, "a": 1}', '{"iterat{"iteration": 59}']
    lines += ['{"iteration": 39, "a": 2}', '{"iteration": 7']
    (tmp_path / "log").write_text("\n".join(lines))
    copy_lines(tmp_path / "log", tmp_path / "copy")
    assert (tmp_path / "copy").read_text().splitlines() == [lines[0], lines[3]]
    copy_lines(tmp_path / "none", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == ""


def test_two_processes_share_a_batch_and_the_norm_statistics(finetuning, capfd):
    tuned = {"evaluate_every": 1, "base_lr": 1e-12}
    shared = finetuning(tuned | {"processes": 2})
    finetune(shared)
    assert "2 process(es) on cpu" in capfd.readouterr().out
    protocol = json.loads((shared.folder / "training.json").read_text())
    assert (protocol["processes"], protocol["norm"]) == (2, "naiveSyncBN_N over 2 processes")
    assert json.loads((shared.folder / "ap.jsonl").read_text())["iteration"] == 1
    together = trained(shared)
    single = finetuning(tuned)
    finetune(single)
    alone = trained(single)
    assert together.keys() == alone.keys()
    means = [
        name for name in alone if name.startswith("backbone.") and name.endswith("running_mean")
    ]
    assert len(means) == 28
    for name in means:  # the same images with the same augmentation, split between processes
        torch.testing.assert_close(together[name], alone[name], rtol=1e-3, atol=1e-4)


def test_an_error_in_a_process_is_reported_without_a_traceback(finetuning, tmp_path):
    odd = tmp_path / "odd.pkl"
    write_detectron2(odd, {"stem.conv1.weight": np.zeros((1, 1), np.float32)})
    with refused("detect.in_worker") as caught:
        finetune(finetuning({"processes": 2}, weights=odd))
    assert caught.value.values["sentence"].startswith(f"1 tensors of {odd} do not fit")
    assert "\n" not in caught.value.values["sentence"]


def test_losses_that_are_not_finite_are_reported(finetuning):
    with refused("detect.not_finite"):
        finetune(finetuning({"base_lr": 1e6, "iterations": 6, "warmup_iterations": 0}))


def test_a_c4_detector_is_trained_and_scored(finetuning, evaluation, resnet50):
    detector, weights = resnet50
    tuned = {"architecture": "c4"}
    job = finetuning(tuned, detector=detector, weights=weights)
    finetune(job)
    loaded = json.loads((job.folder / "loading.json").read_text())
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
    result = evaluate(evaluation(tuned, detector=detector, initialisation="supervised"))
    assert (result["protocol"]["architecture"], result["protocol"]["head"]) == ("c4", "res5 + norm")
    assert 0 <= result["mask"]["AP"] <= 100


def test_the_same_seed_gives_the_same_bits(finetuning, datasets):
    finals = []
    for _ in range(2):
        job = finetuning(dataset=datasets["rle"])
        finetune(job)
        finals.append(trained(job))
    assert differing(*finals) == []


def test_bf16_trains_to_similar_losses_and_other_weights(finetuning):
    losses, finals = [], []
    for precision in ("fp32", "bf16"):
        job = finetuning({"precision": precision, "base_lr": 1e-4})
        finetune(job)
        last = json.loads((job.folder / "history.jsonl").read_text().splitlines()[-1])
        losses.append(last["total_loss"])
        finals.append(trained(job))
        assert json.loads((job.folder / "training.json").read_text())["precision"] == precision
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert {value.dtype for value in finals[1].values()} == {torch.float32, torch.int64}
    assert differing(*finals)


def test_bad_input_is_refused_before_training(finetuning, datasets, tmp_path):
    absent = SplitConfig(images=str(tmp_path), annotations=str(tmp_path / "absent.json"))
    with pytest.raises(UserError, match=r"absent\.json"):
        finetune(finetuning(dataset=DatasetConfig(train=datasets["coco"].train, val=absent)))
    job = finetuning(weights=tmp_path / "absent.pkl")
    with refused("detect.weights_not_found", path=tmp_path / "absent.pkl"):
        finetune(job)
    assert not job.checkpoints.exists()
