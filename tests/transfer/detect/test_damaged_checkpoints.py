import functools
import os
import signal
import sys
import zipfile

import pytest
import torch

from soco.data.stores.archives import save_archive
from soco.data.stores.lock import exclusive_lock
from soco.errors import UserError
from soco.transfer.detect import evaluate, finetune
from soco.transfer.detect.checkpoints import open_folder
from soco.transfer.detect.trainer import Trainer


@pytest.fixture
def places(tmp_path):
    """Where a fine-tuning writes."""
    names = {
        "output": "weights.pth",
        "loading_report": "loading.json",
        "history": "history.jsonl",
        "curve": "ap.jsonl",
    }
    names |= {"training": "training.json", "checkpoint_dir": "checkpoints"}
    return {key: tmp_path / name for key, name in names.items()}


def flip_in_a_weight(path):
    """Flip a bit of a weight; torch.load alone takes such a file for good."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as records:  # not between them, where nobody reads
        largest = records.read(max(records.infolist(), key=lambda record: record.file_size))
    content[content.index(largest) + len(largest) // 2] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)


def stopped(monkeypatch, iteration, *arguments, **named):
    """Fine-tune until an iteration is reached."""
    run_step = Trainer.run_step

    def failing(self):
        if self.iter == iteration:
            raise RuntimeError("stopped")
        run_step(self)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="stopped"):
        patch.setattr(Trainer, "run_step", failing)
        finetune(*arguments, **named)


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_checkpoint_is_passed_over_and_the_bits_are_the_same(
    settings, detector, datasets, places, monkeypatch, capsys, caplog, damaged
):
    arguments = (
        "tiny",
        settings.model_copy(update={"iterations": 4}),
        detector,
        datasets["coco"],
        None,
    )
    finetune(*arguments, **places, seed=1)
    whole = places["output"].read_bytes()
    stopped(monkeypatch, 3, *arguments, **places, seed=1)
    folder = places["checkpoint_dir"]
    assert sorted(path.name for path in folder.glob("*.pth")) == [
        "model_0000001.pth",
        "model_0000002.pth",
    ]
    for number in range(damaged):
        flip_in_a_weight(folder / f"model_000000{2 - number}.pth")
    capsys.readouterr()
    finetune(*arguments, **places, seed=1)
    assert ("Goes on from a checkpoint after 2 of 4 iterations" in capsys.readouterr().out) == (
        damaged == 1
    )
    assert "model_0000002.pth cannot be read (the checksum of its record" in caplog.text
    assert ("training starts from the beginning" in caplog.text) == (damaged == 2)
    assert places["output"].read_bytes() == whole


def test_final_weights_that_were_damaged_are_made_again(
    settings, detector, datasets, places, monkeypatch
):
    arguments = ("tiny", settings, detector, datasets["coco"], None)
    finetune(*arguments, **places, seed=1)
    whole = places["output"].read_bytes()
    train = Trainer.train

    def then_damage(self):
        train(self)
        flip_in_a_weight(places["checkpoint_dir"] / "model_final.pth")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", then_damage)
        with pytest.raises(
            UserError,
            match=r"model_final\.pth was damaged after .*run it again: it resumes from the",
        ):
            finetune(*arguments, **places, seed=1)
    finetune(*arguments, **places, seed=1)
    assert places["output"].read_bytes() == whole


def test_a_damaged_detector_is_not_scored(settings, detector, datasets, places, tmp_path):
    finetune("tiny", settings, detector, datasets["coco"], None, **places, seed=1)
    flip_in_a_weight(places["output"])
    results = (tmp_path / "metrics.json", tmp_path / "detections.json")
    with pytest.raises(
        UserError,
        match=r"weights\.pth is damaged \(the checksum of its record .* is wrong\); remove it",
    ):
        evaluate("tiny", "scratch", settings, detector, datasets["coco"], places["output"], places["training"],
                 *results, seed=1)  # fmt: skip
    assert not any(path.exists() for path in results)


def test_a_damaged_note_of_the_last_checkpoint_does_not_matter_nor_does_the_clock(tmp_path):
    for number in (9, 10):
        save_archive(tmp_path / f"model_{number:07d}.pth", {"training": {"seed": 1}})
    os.utime(tmp_path / "model_0000009.pth", (4e9, 4e9))  # a clock that was set back since
    for note in (b"", b"model_0000009.pth", b"\xff\x00model"):
        (tmp_path / "last_checkpoint").write_bytes(note)
        open_folder(tmp_path, {"seed": 1})
        assert (tmp_path / "last_checkpoint").read_text() == "model_0000010.pth"


@pytest.mark.parametrize(
    "said, whose",
    [
        ({}, "of an earlier version of this program, which do not say what they are of"),
        ({"training": {"seed": 2}}, "of other settings or input files"),
    ],
    ids=["earlier version", "other settings"],
)
def test_files_of_another_training_are_removed_and_folders_left_alone(
    tmp_path, capsys, said, whose
):
    save_archive(tmp_path / "model_0000009.pth", {"model": {}, **said})
    for name in ("history.jsonl", "lock", "model_0000008.damaged"):
        (tmp_path / name).touch()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    open_folder(tmp_path, {"seed": 1})
    assert capsys.readouterr().out == f"{tmp_path} holds checkpoints {whose}; they are removed.\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lock",
        "model_0000008.damaged",
        "notes",
    ]
    assert (tmp_path / "notes" / "mine.txt").exists()


def test_a_second_fine_tuning_does_not_write_into_the_folder_of_a_first(
    settings, detector, datasets, places, monkeypatch
):
    at_once = functools.partial(exclusive_lock, patience=0)
    monkeypatch.setattr(sys.modules["soco.transfer.detect.finetune"], "exclusive_lock", at_once)
    with (
        exclusive_lock(places["checkpoint_dir"]),
        pytest.raises(UserError, match=r"^process \d+ on \S+ is already training this run"),
    ):
        finetune("tiny", settings, detector, datasets["coco"], None, **places, seed=1)


def test_a_killed_worker_ends_the_training_with_a_sentence(
    settings, detector, datasets, places, monkeypatch
):
    """As the system kills one when memory runs out."""
    parent = os.getpid()

    def killed(self, number):
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("soco.transfer.detect.order._AugmentedImages.__getitem__", killed)
    with pytest.raises(
        UserError,
        match=(
            r"^A process that loads images or trains (was killed|ended unexpectedly).* lower"
            r" `workers`"
        ),
    ):
        finetune(
            "tiny",
            settings.model_copy(update={"workers": 1}),
            detector,
            datasets["coco"],
            None,
            **places,
            seed=1,
        )
