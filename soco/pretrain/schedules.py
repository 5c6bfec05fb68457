"""Learning rate and target momentum as functions of the step (SoCo section 4.1).

Pure functions: a resumed run needs no scheduler's state.
"""

import math

from soco.config import PretrainConfig


def peak_rate(settings: PretrainConfig) -> float:
    """Return the learning rate after warm-up: `base_lr` x batch_size / 256 (linear scaling)."""
    # SoCo: 1.0 x 2048 / 256 = 8.
    return settings.base_lr * settings.batch_size / 256


def total_steps(steps_per_epoch: int, settings: PretrainConfig) -> int:
    """Return the steps of a run: `steps`, or those of `epochs`."""
    return settings.epochs * steps_per_epoch if settings.steps is None else settings.steps


def warmup_steps(steps_per_epoch: int, settings: PretrainConfig) -> float:
    """Return the steps of warm-up: those of `warmup_epochs`, or a tenth of `steps`."""
    # A tenth: the paper's 10 of 100 epochs.
    return (
        settings.warmup_epochs * steps_per_epoch if settings.steps is None else settings.steps / 10
    )


def learning_rate(step: int, steps_per_epoch: int, settings: PretrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine down to `final_lr`.

    Warm-up begins at the peak divided by `warmup_divisor`. Both change by step, not by epoch.

    Args:
        step: Number of the step, from 0.
        steps_per_epoch: Steps in an epoch.
        settings: The recipe.
    """
    peak, warmup = peak_rate(settings), warmup_steps(steps_per_epoch, settings)
    if step < warmup:
        start = peak / settings.warmup_divisor
        # start + (peak - start) t / T over the T steps of warm-up.
        return start + (peak - start) * step / warmup
    remaining = total_steps(steps_per_epoch, settings) - warmup
    return (
        # final + (peak - final) (1 + cos(pi t / T)) / 2 at step t of the T after warm-up.
        settings.final_lr
        + (peak - settings.final_lr) * (1 + math.cos(math.pi * (step - warmup) / remaining)) / 2
    )


def target_momentum(step: int, steps: int, base: float) -> float:
    """Return the target's EMA momentum: from `base` at step 0 to 1 at the end, by a cosine.

    1 - (1 - base) (cos(pi k / K) + 1) / 2 at step k of K, as in BYOL. Departure: K is the number of
    steps. The release's K is images x epochs / batch, which counts incomplete batches.

    Args:
        step: Number of the step, from 0.
        steps: Steps of the whole run.
        base: Momentum at step 0; 0.99 in SoCo.
    """
    return 1 - (1 - base) * (math.cos(math.pi * step / steps) + 1) / 2
