"""The linear rule: how learning rate and length of a fine-tuning follow the images in a step.

Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 2.1: with k times the
images in a step, k times the rate and a k-th of the steps.
"""

from dataclasses import dataclass
from fractions import Fraction

from soco.config import FinetuneConfig


@dataclass(frozen=True)
class Schedule:
    """What a fine-tuning runs.

    Attributes:
        batch_size: Images in a step, over all processes.
        base_lr: Learning rate after warm-up.
        iterations: Training steps.
        steps: Steps at which the rate falls tenfold.
        warmup_iterations: Steps of linear warm-up.
    """

    batch_size: int
    base_lr: float
    iterations: int
    steps: tuple[int, ...]
    warmup_iterations: int


def schedule_of(settings: FinetuneConfig) -> Schedule:
    """Apply the linear rule to a protocol; at its own batch it is as it is written."""
    larger = Fraction(settings.batch_size, settings.reference_batch)
    iterations = max(1, round(settings.iterations / larger))
    steps = (round(step / larger) for step in settings.steps)
    return Schedule(
        batch_size=settings.batch_size,
        base_lr=float(settings.base_lr * larger) if larger != 1 else settings.base_lr,
        iterations=iterations,
        steps=tuple(step for step in steps if step < iterations),
        warmup_iterations=round(settings.warmup_iterations / larger),
    )


def in_words(settings: FinetuneConfig) -> str:
    """Say what runs, and how it follows from the protocol where the batch is another."""
    run = schedule_of(settings)
    falls = f", a tenth of it from {' and '.join(map(str, run.steps))} on" if run.steps else ""
    told = (
        f"{run.iterations} iterations with a total batch of {run.batch_size} images, learning rate"
        f" {run.base_lr:g} after {run.warmup_iterations} iterations of warm-up{falls}, weight decay"
        f" {settings.weight_decay:g}."
    )
    if settings.batch_size == settings.reference_batch:
        return told
    larger = settings.batch_size / settings.reference_batch
    return (
        f"{told} This is the linear rule: the protocol is written for {settings.reference_batch}"
        f" images a step, learning rate {settings.base_lr:g} and {settings.iterations} iterations;"
        f" with {larger:g} times the images the rate is {larger:g} times as high and all numbers of"
        f" iterations are {1 / larger:g} times as large."
    )
