"""Learning rate and target momentum as pure functions of the step (SoCo section 4.1)."""

import math

from soco.config import PretrainConfig


def peak_rate(settings: PretrainConfig) -> float:
    """The learning rate after warm-up.

    `base_lr` for 256 images a step, in proportion to the batch.
    """
    return settings.base_lr * settings.batch_size / 256


def learning_rate(step: int, steps_per_epoch: int, settings: PretrainConfig) -> float:
    """Linear warm-up from the peak over `warmup_divisor`, then a cosine to `final_lr`.

    Args:
        step: From 0.
        steps_per_epoch: Steps in a pass over the images.
        settings: The recipe.
    """
    peak, warmup = peak_rate(settings), settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        start = peak / settings.warmup_divisor
        return start + (peak - start) * step / warmup
    remaining = settings.epochs * steps_per_epoch - warmup
    return (
        settings.final_lr
        + (peak - settings.final_lr) * (1 + math.cos(math.pi * (step - warmup) / remaining)) / 2
    )


def target_momentum(step: int, steps: int, base: float) -> float:
    """How much of itself the target keeps at a step: from `base` at step 0 to 1 at the end, by a
    cosine.

    Args:
        step: From 0.
        steps: Steps of the whole run.
        base: Momentum at step 0.
    """
    return 1 - (1 - base) * (math.cos(math.pi * step / steps) + 1) / 2
