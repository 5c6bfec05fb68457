import json

import pytest
import torch
from user_errors import refused

from soco.pretrain import training
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.distributed import Ranks
from soco.pretrain.feed import Feed
from soco.pretrain.model import build_model, load_weights
from soco.pretrain.step import Rates


def test_a_run_leaves_weights_log_and_metrics(run, weights, tiny_recipe):
    folder = run("plain", tiny_recipe)
    metrics = json.loads((folder / "metrics.json").read_text())
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert metrics["steps"] == len(lines) == 4
    assert metrics["final_loss"] == lines[-1]["loss"]
    assert {"step", "epoch", "loss", "lr", "ema_momentum", "images_per_second", "seconds"} <= set(
        lines[0]
    )
    both = {f"{part}{k}" for part in ("encoder", "neck", "head", "projector") for k in ("", "_k")}
    assert {name.split(".")[0] for name in weights(folder)} == both | {"predictor"}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_stopped_and_resumed_ends_with_the_same_bits(
    run, weights, tiny_recipe, monkeypatch, checked_archives, workers
):
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
    assert checked_archives == ["step-00000003.pt"]  # the checkpoint is read once
    assert len((resumed / "log.jsonl").read_text().splitlines()) == 4
    for name, tensor in weights(resumed).items():
        assert torch.equal(tensor, whole[name]), name


def test_another_seed_gives_other_weights(run, weights, tiny_recipe):
    one, two = weights(run("one", tiny_recipe)), weights(run("two", tiny_recipe, seed=2))
    assert not torch.equal(one["encoder.conv1.weight"], two["encoder.conv1.weight"])


def test_a_run_of_no_steps_leaves_the_weights_as_drawn(run, job_of, weights, tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"steps": 0, "workers": 1})
    folder = run("start", recipe)
    drawn = build_model(recipe, job_of("start", recipe).detector, seed=1).state_dict()
    found = weights(folder)
    assert found.keys() == drawn.keys()
    assert [name for name, tensor in found.items() if not torch.equal(tensor, drawn[name])] == []
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["steps"], metrics["epochs"], metrics["seconds"]) == (0, 0, 0)
    assert metrics["final_loss"] is None and metrics["images_per_second"] is None
    assert (folder / "log.jsonl").read_text() == ""
    assert not (folder / "checkpoints").exists()


def test_the_summary_has_the_epochs_that_were_trained(run, tiny_recipe):
    folder = run("part", tiny_recipe.model_copy(update={"steps": 3}))
    metrics = json.loads((folder / "metrics.json").read_text())
    # Five images in batches of two: two steps per epoch.
    assert (metrics["steps"], metrics["epochs"]) == (3, 1.5)


def test_a_loss_that_is_not_finite_stops_the_run(run, weights, tiny_recipe):
    with refused("pretrain.loss_not_finite", loss="nan", step=1, checkpoint="none") as caught:
        run("broken", tiny_recipe.model_copy(update={"base_lr": 1e30, "epochs": 4}))
    assert caught.value.values["lr"] == pytest.approx(3.9e27, rel=0.02)
    assert len(caught.value.values["images"].split(", ")) == 2


def test_a_run_that_fails_leaves_its_last_good_checkpoint(
    run, weights, tiny_recipe, monkeypatch, tmp_path
):
    """The learning rate explodes in the last step, where a checkpoint is due."""
    monkeypatch.setattr(
        training, "learning_rate", lambda step, *_: 0.01 if step < 3 else float("inf")
    )
    good = tmp_path / "broken/checkpoints/step-00000003.pt"
    recipe = {"checkpoint_minutes": 1e-9, "keep_checkpoints": 1}
    with refused("pretrain.weight_not_finite", step=3, checkpoint=good):
        run("broken", tiny_recipe.model_copy(update=recipe))
    assert [path.name for path in good.parent.glob("step*")] == [good.name]
    model = load_weights(good)
    assert all(torch.isfinite(tensor).all() for tensor in model.values())


def test_gradient_accumulation_gives_the_gradient_of_the_whole_step(job_of, tiny_recipe):
    """With norms in eval mode, which ignore the batch, one or two accumulation steps agree."""
    gradients = []
    for accumulate in (1, 2):
        recipe = tiny_recipe.model_copy(update={"batch_size": 4, "accumulate": accumulate})
        whole = training.Training(
            job_of(f"passes{accumulate}", recipe), Ranks(0, 1, torch.device("cpu"))
        )
        whole.model.eval()
        feed = Feed(whole.dataset, whole.sampler, 0, whole.device)
        taken = whole.step(feed, Rates(lr=0.0, ema_momentum=0.99))
        gradients.append(
            {name: p.grad for name, p in whole.model.named_parameters() if p.grad is not None}
        )
        assert taken.values.shape == (accumulate, 4)
        assert torch.isfinite(taken.values[:, 0]).all()
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_a_run_with_gradient_accumulation_logs_its_total_batch(run, tiny_recipe, caplog):
    caplog.set_level("INFO")
    folder = run("passes", tiny_recipe.model_copy(update={"batch_size": 4, "accumulate": 2}))
    assert (
        "total batch 4: 1 process(es) x 2 gradient accumulation step(s) x 2 images" in caplog.text
    )
    assert "learning rate 0.015625: 1 x 4 / 256" in caplog.text
    assert json.loads((folder / "metrics.json").read_text())["steps"] == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image_stops_the_run(run, weights, tiny_recipe, folder_of_images, workers):
    for path in folder_of_images.rglob("*.*"):
        path.unlink()
    with refused("pretrain.image_unreadable", reason="the file is missing") as caught:
        run("gone", tiny_recipe.model_copy(update={"workers": workers}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_trains_to_finite_weights(run, weights, tiny_recipe, precision):
    folder = run("reduced", tiny_recipe.model_copy(update={"precision": precision}))
    assert json.loads((folder / "metrics.json").read_text())["precision"] == precision
    assert all(torch.isfinite(tensor.float()).all() for tensor in weights(folder).values())
