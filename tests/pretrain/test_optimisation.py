import pytest
import torch
from torch import nn

from soco.config import DetectorConfig
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model
from soco.pretrain.optimiser import build_optimiser, set_rate
from soco.pretrain.schedules import learning_rate, target_momentum


def test_lars_follows_its_formula_on_weights_and_plain_sgd_on_norms():
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


def test_a_weight_of_zeros_takes_a_plain_sgd_step():
    weight = nn.Parameter(torch.zeros(2, 2))
    optimiser = LARS([weight])
    optimiser.param_groups[0]["lr"] = 1.0
    weight.grad = torch.ones(2, 2)
    optimiser.step()
    assert torch.allclose(weight, -torch.ones(2, 2))


def test_lars_reuses_its_buffers_and_does_not_change_gradients():
    weight, norm = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimiser = LARS([weight, norm])
    optimiser.param_groups[0]["lr"] = optimiser.param_groups[1]["lr"] = 1.0
    weight.grad, norm.grad = torch.full((2, 2), 3.0), torch.full((2,), 4.0)
    optimiser.step()
    buffers = [optimiser.state[p]["momentum_buffer"] for p in (weight, norm)]
    optimiser.step()
    assert all(
        optimiser.state[p]["momentum_buffer"] is b
        for p, b in zip((weight, norm), buffers, strict=True)
    )
    assert torch.equal(weight.grad, torch.full((2, 2), 3.0))
    assert torch.equal(norm.grad, torch.full((2,), 4.0))


def test_schedules_end_at_the_final_rate_and_momentum_1(tiny_recipe):
    steps = tiny_recipe.epochs * 10
    assert learning_rate(steps, 10, tiny_recipe) == pytest.approx(tiny_recipe.final_lr)
    assert target_momentum(0, steps, 0.99) == pytest.approx(0.99)
    assert target_momentum(steps, steps, 0.99) == 1.0


def test_without_warm_up_the_learning_rate_begins_at_its_peak(tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"warmup_epochs": 0})
    assert learning_rate(0, 10, recipe) == pytest.approx(recipe.base_lr * recipe.batch_size / 256)


@pytest.mark.parametrize("name", ["lars", "sgd", "adamw"])
def test_optimisers_decay_weights_only_and_scale_the_predictors_rate(name, tiny_recipe):
    settings = tiny_recipe.model_copy(
        update={"optimiser": name, "predictor_rate": 3.0, "weight_decay": 0.25}
    )
    sizes = DetectorConfig(backbone="resnet18", fpn_channels=4, head_channels=4, head_fc=8)
    model = build_model(settings, sizes, seed=1)
    optimiser = build_optimiser(model, settings)
    set_rate(optimiser, 0.5)
    predictor = {id(p) for p in model.predictor.parameters()}
    seen = set()
    for group in optimiser.param_groups:
        for p in group["params"]:
            assert group["lr"] == (1.5 if id(p) in predictor else 0.5)
            assert group["weight_decay"] == (0.25 if p.ndim > 1 else 0.0)
            seen.add(id(p))
    assert seen == {id(p) for p in model.parameters() if p.requires_grad}


def test_sgd_takes_torchs_steps():
    ours, theirs = (nn.Parameter(torch.arange(6.0).reshape(2, 3)) for _ in range(2))
    sgd = LARS([ours], momentum=0.9, weight_decay=0.1, trust=None)
    reference = torch.optim.SGD([theirs], lr=0.2, momentum=0.9, weight_decay=0.1)
    set_rate(sgd, 0.2)
    for _ in range(3):
        for p, optimiser in ((ours, sgd), (theirs, reference)):
            optimiser.zero_grad()
            (p.square() * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
            optimiser.step()
    torch.testing.assert_close(ours, theirs)


def test_a_length_in_steps_has_a_tenth_as_warm_up(tiny_recipe):
    settings = tiny_recipe.model_copy(update={"steps": 50, "base_lr": 2.0, "batch_size": 256})
    rates = [learning_rate(step, 7, settings) for step in range(50)]
    assert rates[5] == max(rates) == pytest.approx(2.0)
    assert rates[49] < 0.01 < rates[0]
