import json

import pytest
import torch
from torch import nn

from soco.errors import UserError
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.hardware import autocast_type
from soco.pretrain.journal import Journal
from soco.pretrain.lars import LARS
from soco.pretrain.order import PictureOrder
from soco.pretrain.schedules import learning_rate, target_momentum


def test_lars_is_its_formula_on_weights_and_plain_sgd_on_norms():
    weight, norm = nn.Parameter(torch.tensor([[3.0, 4.0]])), nn.Parameter(torch.tensor([1.0]))
    optimiser = LARS([weight, norm], momentum=0.5, weight_decay=0.1, trust=0.01)
    velocity, expected, expected_norm = torch.zeros(1, 2), weight.detach().clone(), 1.0
    norm_velocity = 0.0
    for group in optimiser.param_groups:
        group["lr"] = 2.0
    for gradient in (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -2.0]])):
        weight.grad, norm.grad = gradient.clone(), torch.tensor([0.5])
        optimiser.step()
        decayed = gradient + 0.1 * expected
        velocity = 0.5 * velocity + decayed * 0.01 * expected.norm() / decayed.norm()
        expected = expected - 2.0 * velocity
        norm_velocity = 0.5 * norm_velocity + 0.5
        expected_norm -= 2.0 * norm_velocity
    assert torch.allclose(weight, expected, atol=1e-6)
    assert norm.item() == pytest.approx(expected_norm)


def test_a_weight_of_zeros_takes_a_plain_step():
    weight = nn.Parameter(torch.zeros(2, 2))
    optimiser = LARS([weight])
    optimiser.param_groups[0]["lr"] = 1.0
    weight.grad = torch.ones(2, 2)
    optimiser.step()
    assert torch.allclose(weight, -torch.ones(2, 2))


def test_lars_makes_its_buffers_once_and_leaves_gradients_alone():
    weight, norm = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimiser = LARS([weight, norm])
    optimiser.param_groups[0]["lr"] = optimiser.param_groups[1]["lr"] = 1.0
    weight.grad, norm.grad = torch.full((2, 2), 3.0), torch.full((2,), 4.0)
    optimiser.step()
    buffers = [optimiser.state[p]["momentum_buffer"] for p in (weight, norm)]
    optimiser.step()
    assert all(optimiser.state[p]["momentum_buffer"] is b for p, b in zip((weight, norm), buffers, strict=True))
    assert torch.equal(weight.grad, torch.full((2, 2), 3.0))
    assert torch.equal(norm.grad, torch.full((2,), 4.0))


def test_schedules_end_where_they_should(tiny_recipe):
    steps = tiny_recipe.epochs * 10
    assert learning_rate(steps, 10, tiny_recipe) == pytest.approx(tiny_recipe.final_lr)
    assert target_momentum(0, steps, 0.99) == pytest.approx(0.99)
    assert target_momentum(steps, steps, 0.99) == 1.0


def test_without_warm_up_the_rate_begins_at_its_peak(tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"warmup_epochs": 0})
    assert learning_rate(0, 10, recipe) == pytest.approx(recipe.base_lr * recipe.batch_size / 256)


def test_an_epoch_shows_each_picture_at_most_once():
    batches = list(PictureOrder(pictures=11, batch_size=3, epochs=2, seed=1))
    assert len(batches) == 6
    for epoch in range(2):
        numbers = [number for batch in batches for e, number in batch if e == epoch]
        assert len(set(numbers)) == len(numbers) == 9
    assert batches[:3] != [[(0, n) for _, n in batch] for batch in batches[3:]]


@pytest.mark.parametrize("first", [0, 2, 3, 5])
def test_the_order_from_a_later_step_is_the_rest_of_the_order(first):
    order = list(PictureOrder(11, 3, 2, seed=1))
    rest = PictureOrder(11, 3, 2, seed=1, first_step=first)
    assert list(rest) == order[first:]
    assert len(rest) == len(order) - first


def test_fewer_pictures_than_a_batch_are_refused():
    with pytest.raises(UserError, match="5 pictures and batch_size is 8"):
        PictureOrder(5, 8, 1, 1)


@pytest.fixture
def trained():
    model = nn.Linear(2, 2)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return model, optimiser, torch.amp.GradScaler("cpu", enabled=False)


def test_checkpoints_keep_the_newest_and_resume_from_it(tmp_path, trained):
    model, optimiser, scaler = trained
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    for step in (1, 2, 3):
        checkpoints.save(step, model, optimiser, scaler)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002.pt", "step-00000003.pt"]
    other = nn.Linear(2, 2)
    (tmp_path / ".step-00000004.pt.7.part").write_bytes(b"half")
    assert checkpoints.resume(other, torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9), scaler) == 3
    assert len(list(tmp_path.iterdir())) == 2
    assert torch.equal(other.weight, model.weight)


def test_a_damaged_checkpoint_is_passed_over(tmp_path, trained, caplog):
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    checkpoints.save(1, *trained)
    checkpoints.save(2, *trained)
    newest = tmp_path / "step-00000002.pt"
    newest.write_bytes(newest.read_bytes()[:300])
    assert checkpoints.resume(*trained) == 1
    assert "step-00000002.pt cannot be read" in caplog.text


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, trained):
    Checkpoints(tmp_path, {"epochs": 1, "seed": 1}, keep=2).save(1, *trained)
    with pytest.raises(UserError, match=r"other settings \(epochs\)"):
        Checkpoints(tmp_path, {"epochs": 2, "seed": 1}, keep=2).resume(*trained)


def test_no_checkpoint_starts_at_step_zero(tmp_path, trained):
    assert Checkpoints(tmp_path / "none", {}, keep=1).resume(*trained) == 0


def test_a_resumed_journal_drops_what_lies_past_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    journal = Journal(path, 0, 6, 4, every=1)
    for step in range(4):
        journal.note(step, loss=torch.tensor(-float(step)))
    journal.close()
    path.write_text(path.read_text() + '{"step": 4, "lo')
    resumed = Journal(path, 2, 6, 4, every=2)
    for step in range(2, 6):
        resumed.note(step, loss=-10.0)
    resumed.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(0, 0.0), (1, -1.0), (2, -10.0), (4, -10.0), (5, -10.0)]
    assert [line["seconds"] for line in lines] == sorted(line["seconds"] for line in lines)


def test_precisions_by_name():
    cpu = torch.device("cpu")
    assert autocast_type("fp32", cpu) is None
    assert autocast_type("bf16", cpu) is torch.bfloat16
    assert autocast_type("auto", cpu) in (None, torch.bfloat16)
