"""How far the weights move, and the warnings about runs that stay where they began."""

import json
import logging
import math

import pytest
import torch
from torch import nn

from soco.config import PretrainConfig
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model
from soco.pretrain.optimiser import set_rate
from soco.pretrain.schedules import learning_rate
from soco.pretrain.travel import (
    DETECTOR_PARTS,
    PARTS,
    Travel,
    Walk,
    lars_walk,
    median_cosine,
    stayed,
    travelling_weights,
    warn_of_stay,
    warn_of_walk,
)

IMAGENET = 1_281_167


def lines_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def warnings_of(caplog, word):
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return [text for text in warnings if word in text]


def walk_of(images, **settings):
    recipe = PretrainConfig(**settings)
    each = images // recipe.batch_size
    rates = [learning_rate(step, each, recipe) for step in range(recipe.epochs * each)]
    return lars_walk(rates, recipe.trust, recipe.momentum)


def test_distance_and_cosine_pool_the_weights_of_a_part():
    first = {
        "encoder.conv1.weight": torch.tensor([[3.0, 0.0]]),
        "encoder.layer1.0.conv1.weight": torch.tensor([[1.0, 0.0]]),
        "encoder.layer1.1.conv1.weight": torch.tensor([[0.0, 1.0]]),
        "head.fc1.weight": torch.tensor([[2.0, 0.0]]),
    }
    now = {
        "encoder.conv1.weight": torch.tensor([[3.0, 0.0]]),
        "encoder.layer1.0.conv1.weight": torch.tensor([[0.0, 1.0]]),  # turned by 90 degrees
        "encoder.layer1.1.conv1.weight": torch.tensor([[0.0, 1.0]]),
        "head.fc1.weight": torch.tensor([[-4.0, 0.0]]),
    }
    moved = Travel(first).measure(now)
    assert moved == {
        "stem": {"distance": 0.0, "cosine": 1.0},
        "layer1": {"distance": 1.0, "cosine": 0.5},
        "head": {"distance": 3.0, "cosine": -1.0},
    }
    assert median_cosine(moved) == 0.5


def test_small_angles_keep_their_digits():
    weight = torch.randn(400, 500, generator=torch.Generator().manual_seed(0))
    turned = weight.clone()
    turned[:200], turned[200:] = (
        weight[:200] - 0.001 * weight[200:],
        weight[200:] + 0.001 * weight[:200],
    )
    moved = Travel({"neck.weight": weight}).measure({"neck.weight": turned})["neck"]
    assert moved["distance"] == pytest.approx(0.001, abs=2e-6)
    assert 1 - moved["cosine"] == pytest.approx(0.5e-6, abs=0.6e-6)


@pytest.mark.parametrize("architecture", ["fpn", "c4"])
def test_every_trained_weight_is_in_one_part(job_of, tiny_recipe, architecture):
    job = job_of("any", tiny_recipe.model_copy(update={"architecture": architecture}))
    weights = travelling_weights(build_model(job.settings, job.detector, seed=1))
    moved = Travel(weights).measure(weights)
    absent = {"neck", "head"} if architecture == "c4" else set()
    assert set(moved) == {*PARTS} - absent
    assert all(entry == {"distance": 0.0, "cosine": 1.0} for entry in moved.values())
    assert all(weight.ndim > 1 and "_k." not in name for name, weight in weights.items())


def test_first_weights_are_a_copy():
    layer = nn.Sequential(nn.Linear(3, 2))
    travel = Travel(travelling_weights(layer))
    with torch.no_grad():
        layer[0].weight.mul_(2)
    assert travel.measure(travelling_weights(layer))["0"]["distance"] == 1.0


def test_the_path_of_the_paper_is_long_and_that_of_a_small_run_short():
    assert walk_of(IMAGENET) == pytest.approx((250, 12.2), rel=0.01)
    # A path depends on images x epochs alone, not on the size of a batch.
    small = walk_of(4000, batch_size=64, epochs=110)
    assert small.path == pytest.approx(4000 * 110 / 256 * 0.001 / 2, rel=0.02)
    assert walk_of(4000, batch_size=128, epochs=110).path == pytest.approx(small.path, rel=0.02)
    double = walk_of(4000, batch_size=64, epochs=110, base_lr=2.0)
    assert double.path == pytest.approx(1.7, rel=0.03)


def test_the_expected_distance_is_that_of_random_gradients():
    """In many dimensions they are at right angles; the formula ignores that the weight grows."""
    generator = torch.Generator().manual_seed(0)
    weight = nn.Parameter(torch.randn(50, 2000, generator=generator))
    optimiser, rates = LARS([weight], momentum=0.9, weight_decay=0.0), [2.0] * 400
    travel = Travel({"neck.weight": weight})
    for rate in rates:
        set_rate(optimiser, rate)
        weight.grad = torch.randn(50, 2000, generator=generator)
        optimiser.step()
    walk = lars_walk(rates, 0.001, 0.9)
    moved = travel.measure({"neck.weight": weight})["neck"]
    assert (walk.path, walk.distance) == pytest.approx((0.8, 0.4))
    assert moved["distance"] == pytest.approx(walk.distance, rel=0.06)
    assert moved["cosine"] == pytest.approx(1 / math.sqrt(1 + walk.distance**2), abs=0.01)


@pytest.mark.parametrize("momentum", [0.9, 1.0])
def test_a_walk_of_no_steps_leads_nowhere(momentum):
    assert lars_walk([], 0.001, momentum) == Walk(0.0, 0.0)
    assert lars_walk([1.0, 0.0], 0.001, momentum).distance <= 0.002


@pytest.mark.parametrize(
    ("walk", "warned"),
    [
        (walk_of(4000, batch_size=64, epochs=110), True),
        (walk_of(4000, batch_size=128, epochs=110), True),
        (walk_of(IMAGENET), False),
        (Walk(0.0, 0.0), False),  # no steps: meant to stay
        (Walk(path=0.75, distance=1.2), False),  # 60 steps of a rate of 25: measured, it moves
    ],
)
def test_a_short_walk_is_a_warning_with_its_length(caplog, walk, warned):
    warn_of_walk(walk)
    texts = warnings_of(caplog, "will stay near its first weights")
    assert len(texts) == warned
    assert all(word in text for text in texts for word in ("0.85 |w|", "docs/small_runs.md"))


def moved_to(cosine, **others):
    parts = dict.fromkeys(DETECTOR_PARTS, cosine) | others
    return {
        part: {"distance": math.sqrt(2 - 2 * value), "cosine": value}
        for part, value in parts.items()
    }


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        (moved_to(0.987), True),
        (moved_to(0.6), False),
        (moved_to(0.99, predictor=0.1, projector=0.1), True),
        (moved_to(0.99, stem=0.2), True),
        (moved_to(0.99, layer3=0.9, layer4=0.9, neck=0.9, head=0.9), False),
        ({"stem": {"distance": None, "cosine": None}}, False),
        ({}, False),
    ],
)
def test_a_run_stayed_if_what_detectors_fine_tune_did(caplog, moved, expected):
    assert stayed(moved) is expected
    warn_of_stay(moved, "adamw")
    texts = warnings_of(caplog, "stayed near its first weights")
    assert len(texts) == expected
    assert all("base_lr" in text and "sgd" not in text for text in texts)


def test_a_run_without_a_learning_rate_stays_and_says_so(run, tiny_recipe, caplog):
    still = {"base_lr": 1e-30, "final_lr": 0.0, "optimiser": "lars"}
    folder = run("still", tiny_recipe.model_copy(update=still))
    summary = json.loads((folder / "metrics.json").read_text())
    assert 0 < summary["path_length"] < 1e-20 and 0 < summary["expected_distance"] < 1e-20
    assert {(m["distance"], m["cosine"]) for m in summary["travel"].values()} == {(0.0, 1.0)}
    assert len(warnings_of(caplog, "will stay near")) == 1
    assert len(warnings_of(caplog, "stayed near")) == 1


def test_a_run_that_moves_has_no_warning(run, tiny_recipe, caplog):
    far = {"optimiser": "sgd", "base_lr": 60.0, "warmup_epochs": 0}
    folder = run("far", tiny_recipe.model_copy(update=far))
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["path_length"] is summary["expected_distance"] is None
    assert median_cosine(summary["travel"]) < 0.97
    assert not warnings_of(caplog, "near its first weights")


def test_the_log_has_it_every_log_every_lines_and_at_the_end(run, tiny_recipe):
    lines = lines_of(run("some", tiny_recipe.model_copy(update={"log_every": 2, "epochs": 4})))
    assert [line["step"] for line in lines] == [0, 2, 4, 6, 7]
    assert [line["step"] for line in lines if "travel" in line] == [0, 4, 7]
    distances = [line["travel"]["layer4"]["distance"] for line in lines if "travel" in line]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_a_resumed_run_measures_from_the_same_first_weights(run, tiny_recipe, monkeypatch):
    recipe = tiny_recipe.model_copy(update={"checkpoint_minutes": 1e-9})
    whole = run("whole", recipe)
    save = Checkpoints.save

    def save_then_stop(self, step, *state):
        save(self, step, *state)
        if step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", save_then_stop)
        run("stopped", recipe)
    resumed = run("stopped", recipe)
    of_lines = [[line["travel"] for line in lines_of(folder)] for folder in (whole, resumed)]
    assert of_lines[0] == of_lines[1]
    summaries = [json.loads((f / "metrics.json").read_text()) for f in (whole, resumed)]
    assert summaries[0]["travel"] == summaries[1]["travel"] == of_lines[0][-1]
