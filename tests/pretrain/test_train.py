import json

import pytest
import torch

from soco.errors import UserError
from soco.pretrain.checkpoint import Checkpoints


def test_a_run_leaves_weights_log_and_metrics(run, weights, tiny_recipe):
    folder = run("plain", tiny_recipe)
    metrics = json.loads((folder / "metrics.json").read_text())
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert metrics["steps"] == len(lines) == 4
    assert metrics["final_loss"] == lines[-1]["loss"]
    assert {"step", "epoch", "loss", "lr", "ema_momentum", "images_per_second", "seconds"} <= set(lines[0])
    assert {name.split(".")[0] for name in weights(folder)} == {
        "encoder", "neck", "head", "projector", "predictor", "encoder_k", "neck_k", "head_k", "projector_k",
    }  # fmt: skip


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_stopped_and_resumed_ends_with_the_same_bits(run, weights, tiny_recipe, monkeypatch, workers):
    recipe = tiny_recipe.model_copy(update={"workers": workers, "checkpoint_minutes": 1e-9})
    whole = weights(run("whole", tiny_recipe))
    save = Checkpoints.save

    def save_then_stop(self, step, *state):
        save(self, step, *state)
        if step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", save_then_stop)
        run("stopped", recipe)
    resumed = run("stopped", recipe)
    assert len((resumed / "log.jsonl").read_text().splitlines()) == 4
    for name, tensor in weights(resumed).items():
        assert torch.equal(tensor, whole[name]), name


def test_another_seed_gives_other_weights(run, weights, tiny_recipe):
    one, two = weights(run("one", tiny_recipe)), weights(run("two", tiny_recipe, seed=2))
    assert not torch.equal(one["encoder.conv1.weight"], two["encoder.conv1.weight"])


def test_a_loss_that_is_not_finite_stops_the_run(run, weights, tiny_recipe):
    with pytest.raises(UserError, match=r"The loss is nan at step \d.*the last good checkpoint is none. Lower base_lr"):
        run("broken", tiny_recipe.model_copy(update={"base_lr": 1e30, "epochs": 4}))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_gone_is_told_in_one_sentence(run, weights, tiny_recipe, folder_of_pictures, workers):
    for path in folder_of_pictures.rglob("*.*"):
        path.unlink()
    with pytest.raises(UserError, match=r"^\S.*can no longer be read \(the file is missing\); restore it") as caught:
        run("gone", tiny_recipe.model_copy(update={"workers": workers}))
    assert "\n" not in str(caught.value)


def test_bf16_trains_to_finite_weights(run, weights, tiny_recipe):
    folder = run("bf16", tiny_recipe.model_copy(update={"precision": "bf16"}))
    assert json.loads((folder / "metrics.json").read_text())["precision"] == "bf16"
    assert all(torch.isfinite(tensor.float()).all() for tensor in weights(folder).values())
