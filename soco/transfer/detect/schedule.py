"""The linear scaling rule: learning rate and length of a fine-tuning follow from its batch size.

Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 2.1: with k times the
batch size, k times the learning rate and 1/k of the iterations.
"""

from dataclasses import dataclass
from fractions import Fraction

from soco.config import FinetuneConfig


@dataclass(frozen=True)
class Schedule:
    """The schedule that a fine-tuning runs.

    Attributes:
        batch_size: Images per iteration, over all processes.
        base_lr: Learning rate after warm-up.
        iterations: Number of iterations.
        steps: Iterations at which the learning rate drops to a tenth.
        warmup_iterations: Iterations of linear warm-up.
    """

    batch_size: int
    base_lr: float
    iterations: int
    steps: tuple[int, ...]
    warmup_iterations: int


def schedule_of(settings: FinetuneConfig) -> Schedule:
    """Apply the linear scaling rule; with `reference_batch` the protocol is unchanged."""
    # lr = base_lr B / B_ref, and iterations = N B_ref / B. Exact fractions, so that rounding starts
    # from the true quotient.
    scale = Fraction(settings.batch_size, settings.reference_batch)
    iterations = max(1, round(settings.iterations / scale))
    steps = (round(step / scale) for step in settings.steps)
    return Schedule(
        batch_size=settings.batch_size,
        base_lr=float(settings.base_lr * scale) if scale != 1 else settings.base_lr,
        iterations=iterations,
        # A step at the end or behind it would never be taken.
        steps=tuple(step for step in steps if step < iterations),
        warmup_iterations=round(settings.warmup_iterations / scale),
    )


def in_words(settings: FinetuneConfig) -> str:
    """Describe the schedule, and how it follows from the protocol's if the batch size differs."""
    run = schedule_of(settings)
    drops = ""
    if run.steps:
        drops = f", divided by 10 at iterations {' and '.join(map(str, run.steps))}"
    described = (
        f"{run.iterations} iterations with a total batch of {run.batch_size} images, learning rate"
        f" {run.base_lr:g} after {run.warmup_iterations} iterations of warm-up{drops}, weight decay"
        f" {settings.weight_decay:g}."
    )
    if settings.batch_size == settings.reference_batch:
        return described
    scale = settings.batch_size / settings.reference_batch
    return (
        f"{described} This follows the linear scaling rule: the protocol is written for batches of"
        f" {settings.reference_batch} images, learning rate {settings.base_lr:g} and"
        f" {settings.iterations} iterations; the batch is {scale:g} times as large, so the learning"
        f" rate is multiplied by {scale:g} and all numbers of iterations by {1 / scale:g}."
    )
