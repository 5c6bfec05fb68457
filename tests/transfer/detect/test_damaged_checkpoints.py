import functools
import os
import signal
import sys
import zipfile

import pytest
import torch
from user_errors import refused

from soco.data.stores.lock import exclusive_lock
from soco.data.stores.torch_files import save_archive
from soco.errors import UserError
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.checkpoints import prepare_folder
from soco.transfer.detect.trainer import Trainer


def flip_in_a_weight(path):
    """Flip a bit of a weight; `torch.load` alone does not detect it."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as records:  # not padding between records
        largest = records.read(max(records.infolist(), key=lambda record: record.file_size))
    content[content.index(largest) + len(largest) // 2] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)


def stopped(monkeypatch, iteration, job):
    """Fine-tune until an iteration is reached."""
    run_step = Trainer.run_step

    def failing(self):
        if self.iter == iteration:
            raise RuntimeError("stopped")
        run_step(self)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="stopped"):
        patch.setattr(Trainer, "run_step", failing)
        finetune(job)


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_checkpoint_is_skipped_and_the_bits_are_the_same(
    finetuning, monkeypatch, capsys, caplog, damaged
):
    job = finetuning({"iterations": 4})
    weights = job.folder / "weights.pth"
    finetune(job)
    uninterrupted = weights.read_bytes()
    stopped(monkeypatch, 3, job)
    assert sorted(path.name for path in job.checkpoints.glob("*.pth")) == [
        "model_0000001.pth",
        "model_0000002.pth",
    ]
    for number in range(damaged):
        flip_in_a_weight(job.checkpoints / f"model_000000{2 - number}.pth")
    capsys.readouterr()
    finetune(job)
    assert ("Resumes from the checkpoint after 2 of 4" in capsys.readouterr().out) == (damaged == 1)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum("model_" in warning and "checksum" in warning for warning in warnings) == damaged
    assert weights.read_bytes() == uninterrupted


def test_damaged_final_weights_are_written_again(finetuning, monkeypatch):
    job = finetuning()
    finetune(job)
    uninterrupted = (job.folder / "weights.pth").read_bytes()
    train = Trainer.train
    final = job.checkpoints / "model_final.pth"

    def then_damage(self):
        train(self)
        flip_in_a_weight(final)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", then_damage)
        with refused("detect.damaged_final_weights", path=final):
            finetune(job)
    finetune(job)
    assert (job.folder / "weights.pth").read_bytes() == uninterrupted


def test_a_damaged_detector_is_not_evaluated(finetuning, evaluation):
    job, scored = finetuning(), evaluation()
    finetune(job)
    flip_in_a_weight(job.folder / "weights.pth")
    with refused("detect.damaged_weights", path=job.folder / "weights.pth"):
        evaluate(scored)
    assert not scored.metrics.exists()
    assert not scored.detections.exists()


def test_neither_a_damaged_pointer_nor_the_clock_matters(tmp_path):
    for number in (9, 10):
        save_archive(tmp_path / f"model_{number:07d}.pth", {"training": {"seed": 1}})
    os.utime(tmp_path / "model_0000009.pth", (4e9, 4e9))  # a clock that was set back since
    for pointer in (b"", b"model_0000009.pth", b"\xff\x00model"):
        (tmp_path / "last_checkpoint").write_bytes(pointer)
        prepare_folder(tmp_path, {"seed": 1})
        assert (tmp_path / "last_checkpoint").read_text() == "model_0000010.pth"


@pytest.mark.parametrize(
    ("recorded", "origin"),
    [
        ({}, "of an earlier version of this program"),
        ({"training": {"seed": 2}}, "with other settings or input files"),
    ],
    ids=["earlier version", "other settings"],
)
def test_files_of_another_training_are_removed_but_not_folders(tmp_path, capsys, recorded, origin):
    save_archive(tmp_path / "model_0000009.pth", {"model": {}, **recorded})
    for name in ("history.jsonl", "lock", "model_0000008.damaged"):
        (tmp_path / name).touch()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    prepare_folder(tmp_path, {"seed": 1})
    assert f"{tmp_path} has checkpoints {origin}" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lock",
        "model_0000008.damaged",
        "notes",
    ]
    assert (tmp_path / "notes" / "mine.txt").exists()


def test_a_second_fine_tuning_does_not_write_into_the_same_folder(finetuning, monkeypatch):
    job = finetuning()
    at_once = functools.partial(exclusive_lock, patience=0)
    monkeypatch.setattr(sys.modules["soco.transfer.detect.finetune"], "exclusive_lock", at_once)
    with exclusive_lock(job.checkpoints), pytest.raises(UserError, match="process"):
        finetune(job)


def test_a_killed_worker_ends_the_training_with_an_error(finetuning, monkeypatch):
    """The system kills a worker when memory runs out."""
    parent = os.getpid()

    def killed(self, number):
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("soco.transfer.detect.loader._AugmentedImages.__getitem__", killed)
    with pytest.raises(UserError, match="`workers`"):
        finetune(finetuning({"workers": 1}))
