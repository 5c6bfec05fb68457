import json

import pytest
import torch

from soco.config import DatasetConfig, SplitConfig
from soco.detect import finetune
from soco.detect.trainer import Trainer
from soco.errors import UserError


@pytest.fixture
def places(tmp_path):
    """Where a fine-tuning writes."""
    return {
        "output": tmp_path / "weights.pth",
        "loading_report": tmp_path / "loading.json",
        "history": tmp_path / "history.jsonl",
        "checkpoint_dir": tmp_path / "checkpoints",
    }


def stop_at(monkeypatch, iteration):
    """Make training fail when it reaches an iteration, as a job that is killed does."""
    run_step = Trainer.run_step

    def failing(self):
        if self.iter == iteration:
            raise RuntimeError("killed")
        run_step(self)

    monkeypatch.setattr(Trainer, "run_step", failing)


def test_a_stopped_training_goes_on_from_its_checkpoint(
    settings, detector, datasets, converted, places, monkeypatch, capsys
):
    longer = settings.model_copy(update={"iterations": 4})
    arguments = ("tiny", longer, detector, datasets["coco"], converted)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        stop_at(patch, 2)
        finetune(*arguments, **places, seed=1)
    assert not places["output"].exists()

    finetune(*arguments, **places, seed=1)
    said = capsys.readouterr().out
    assert "total batch of 2 pictures" in said
    assert "learning rate 0.02" in said
    assert "4 iterations" in said
    assert "Goes on from a checkpoint after 2 of 4 iterations" in said
    assert json.loads(places["loading_report"].read_text())["weights"] == str(converted)
    assert json.loads(places["history"].read_text().splitlines()[-1])["iteration"] == 3
    assert not places["checkpoint_dir"].exists()


def test_checkpoints_of_other_settings_are_not_gone_on_from(settings, detector, datasets, places, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        stop_at(patch, 1)
        finetune("tiny", settings, detector, datasets["coco"], None, **places, seed=1)
    finetune("tiny", settings, detector, datasets["coco"], None, **places, seed=2)
    said = capsys.readouterr().out
    assert "of other settings or input files; they are removed" in said
    assert "Goes on" not in said


def test_one_seed_gives_one_result(settings, detector, datasets, places):
    finals = []
    for _ in range(2):
        finetune("tiny", settings, detector, datasets["rle"], None, **places, seed=1)
        finals.append(torch.load(places["output"], weights_only=True)["model"])
    assert finals[0].keys() == finals[1].keys()
    for name, value in finals[0].items():
        torch.testing.assert_close(finals[1][name], value)


def test_bad_input_is_refused_before_training(settings, detector, datasets, places, tmp_path):
    absent = SplitConfig(images=str(tmp_path), annotations=str(tmp_path / "absent.json"))
    broken = DatasetConfig(train=datasets["coco"].train, val=absent)
    with pytest.raises(UserError, match=r"absent\.json"):
        finetune("tiny", settings, detector, broken, None, **places, seed=1)
    with pytest.raises(UserError, match=r"no converted weights at .*absent\.pkl"):
        finetune("tiny", settings, detector, datasets["coco"], tmp_path / "absent.pkl", **places, seed=1)
    assert not places["checkpoint_dir"].exists()
