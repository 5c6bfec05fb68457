"""A whole pretraining step of SoCo's R50-FPN recipe: ours against the release's order of work.

Images are random pixels; boxes have the sizes of proposals. The variants alternate in one process,
and a ratio is the median of the ratios within a round. Also prints the time of each part of the
fastest variant's step, and peak memory per image.
"""

import argparse
import dataclasses
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from soco.config import DetectorConfig, PretrainConfig
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model, pooling
from soco.pretrain.model import soco as model_file
from soco.pretrain.views.batch import Batch, Pair


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to compute a step."""

    name: str
    pooling: str = "assigned"
    bf16: bool = False
    channels_last: bool = True
    recompute: bool = False
    compile: bool = False


PEER = Variant("release, fp32, contiguous", pooling="release", channels_last=False)
BEST = Variant("assigned, bf16, channels-last", bf16=True)
VARIANTS = (
    PEER,
    Variant("assigned, fp32, contiguous", channels_last=False),
    Variant("assigned, fp32, channels-last"),
    BEST,
)


def make_batch(settings: PretrainConfig, count: int) -> Batch:
    """Make random images with boxes whose sides are 0.3 to 0.8 of a view's side."""
    generator = torch.Generator().manual_seed(0)
    views = tuple(
        torch.randn(count, 3, view.size, view.size, generator=generator) for view in settings.views
    )

    def boxes() -> torch.Tensor:
        side = 0.3 + 0.5 * torch.rand(count, settings.boxes, 2, generator=generator)
        corner = torch.rand(count, settings.boxes, 2, generator=generator) * (1 - side)
        return torch.cat([corner, corner + side], dim=-1)

    ids = torch.arange(1, settings.boxes + 1).expand(count, -1)
    pairs = tuple(Pair(boxes(), ids, boxes(), ids) for _ in settings.views[1:])
    return Batch(views, pairs, torch.arange(count))


class Stepper:
    """A model, its optimiser and a batch."""

    def __init__(self, variant: Variant, count: int) -> None:
        settings = PretrainConfig(pooling=variant.pooling, recompute=variant.recompute)
        memory_format = torch.channels_last if variant.channels_last else torch.contiguous_format
        self.model = (
            build_model(settings, DetectorConfig(), seed=0).to(memory_format=memory_format).train()
        )
        if variant.compile:
            self.model.compile_parts()
        self.optimiser = LARS(p for p in self.model.parameters() if p.requires_grad)
        for group in self.optimiser.param_groups:
            group["lr"] = 0.01
        self.batch = make_batch(settings, count).to("cpu", memory_format)
        self.bf16 = variant.bf16

    def step(self) -> None:
        """Take one step, as the training loop does."""
        with timed("EMA"):
            self.model.update_target(0.99)
        self.gradient()
        with timed("LARS"):
            self.optimiser.step()

    def gradient(self) -> None:
        """Forward and backward pass."""
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.model(self.batch).loss
        with timed("backward"):
            loss.backward()


SECONDS: dict[str, float] = {}


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Add the time of the block to `SECONDS` under a name."""
    start = time.perf_counter()
    yield
    SECONDS[name] = SECONDS.get(name, 0.0) + time.perf_counter() - start


def parts_of_a_step(stepper: Stepper, repeats: int) -> dict[str, float]:
    """Seconds of each part of a step."""
    model = stepper.model
    for suffix in ("", "_k"):
        encoder = getattr(model, f"encoder{suffix}")
        # The encoder and its stages are never called as a whole.
        blocks = [block for n in range(1, 5) for block in getattr(encoder, f"layer{n}")]
        for part in (encoder.conv1, encoder.bn1, encoder.relu, encoder.maxpool, *blocks):
            watch(part, "encoder")
        for name in ("neck", "head", "projector"):
            watch(getattr(model, f"{name}{suffix}"), name)
    watch(model.predictor, "predictor")
    whole_pool, whole_plan = pooling.pool, model_file.plan_assigned
    try:
        pooling.pool = timing(whole_pool, "pooling")
        model_file.plan_assigned = timing(whole_plan, "plan of pooling")
        SECONDS.clear()
        with timed("all"):
            for _ in range(repeats):
                stepper.step()
    finally:
        pooling.pool, model_file.plan_assigned = whole_pool, whole_plan
    return {name: seconds / repeats for name, seconds in SECONDS.items()}


def watch(part: nn.Module, name: str) -> None:
    """Time the calls of a module."""
    starts: list[float] = []
    part.register_forward_pre_hook(lambda *_: starts.append(time.perf_counter()))
    part.register_forward_hook(lambda *_: note(name, time.perf_counter() - starts.pop()))


def timing(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the function with its calls timed."""

    def timed_function(*arguments: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments)
        note(name, time.perf_counter() - start)
        return result

    return timed_function


def note(name: str, seconds: float) -> None:
    """Add to the seconds of a part of the current branch."""
    name = name if torch.is_grad_enabled() else f"target: {name}"
    SECONDS[name] = SECONDS.get(name, 0.0) + seconds


def peak_memory(variant: Variant, count: int) -> float:
    """Peak memory, in MB, of a process that computes a gradient.

    Without LARS, whose memory does not depend on the batch and would hide the rest.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (variant, count))


def _peak(variant: Variant, count: int) -> float:
    Stepper(variant, count).gradient()
    # Not getrusage, whose peak a child process inherits from its parent.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def print_speed(steppers: dict[Variant, Stepper], count: int, repeats: int) -> None:
    """Alternate the variants, and print images per second."""
    seconds: dict[Variant, list[float]] = {variant: [] for variant in steppers}
    for _ in range(1 + repeats):
        for variant, stepper in steppers.items():
            start = time.perf_counter()
            stepper.step()
            seconds[variant].append(time.perf_counter() - start)
    print(f"{'':<34}{'images/s':>10}{'ratio':>8}")
    for variant, times in seconds.items():
        ratios = [peer / own for peer, own in zip(seconds[PEER][1:], times[1:], strict=True)]
        speed, ratio = count / statistics.median(times[1:]), statistics.median(ratios)
        print(f"{variant.name:<34}{speed:10.2f}{ratio:8.2f}")


def print_parts(parts: dict[str, float]) -> None:
    """Print where the time of a step goes."""
    whole = parts.pop("all")
    parts["the rest"] = whole - sum(parts.values())
    for name, value in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"  {name:<32}{value * 1e3:10.0f} ms{100 * value / whole:7.1f} %")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4, help="images in a step [4]")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each variant [3]")
    parser.add_argument(
        "--compile", action="store_true", help="time compiled variants too (needs a C++ compiler)"
    )
    chosen = parser.parse_args()
    extra = [dataclasses.replace(v, name=f"{v.name}, compiled", compile=True) for v in VARIANTS[2:]]
    variants = [*VARIANTS, *(extra if chosen.compile else [])]
    steppers = {variant: Stepper(variant, chosen.batch) for variant in variants}
    print(
        f"{chosen.batch} images per step, {torch.get_num_threads()} threads, median of"
        f" {chosen.repeats} steps"
    )
    print_speed(steppers, chosen.batch, chosen.repeats)
    print(f"Where a step of '{BEST.name}' spends its time")
    print_parts(parts_of_a_step(steppers[BEST], chosen.repeats))
    print("Peak memory per additional image")
    for variant in (
        PEER,
        BEST,
        dataclasses.replace(BEST, name=f"{BEST.name}, recompute", recompute=True),
    ):
        few, many = (peak_memory(variant, count) for count in (2, 4))
        print(f"  {variant.name:<42}{(many - few) / 2:8.0f} MB")


if __name__ == "__main__":
    main()
