import pytest

from soco.config import PretrainConfig
from soco.pretrain.schedules import learning_rate, target_momentum


def test_rates_and_momenta_are_the_authors(golden):
    for case in golden("schedules"):
        recipe = PretrainConfig(
            epochs=case["epochs"],
            warmup_epochs=case["warmup_epochs"],
            batch_size=case["total_batch"],
            base_lr=case["base_lr"],
            warmup_divisor=case["warmup_multiplier"],
            final_lr=case["eta_min"],
        )
        per_epoch = case["iters_per_epoch"]
        steps = per_epoch * case["epochs"]
        for step, rate in case["lr_at_iteration"].items():
            assert learning_rate(int(step), per_epoch, recipe) == pytest.approx(rate, rel=1e-9), (
                case["name"]
            )
        for step, momentum in case["ema_momentum_at_iteration"].items():
            assert target_momentum(int(step), steps, recipe.ema_base) == pytest.approx(
                momentum, rel=1e-9
            )
