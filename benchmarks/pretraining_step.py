"""A whole pretraining step of SoCo's R50-FPN recipe: ours against the release's order of work.

Images are random pixels; boxes have the sizes of proposals. The variants alternate in one process,
and a ratio is the median of the ratios within a round. Also prints the time of each part of the
fastest variant's step, and peak memory per image.

With `--device cuda` it prints tables of a GPU instead: see docs/gpu.md.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from device_tables import print_device_tables
from stepping import Stepper, Variant
from torch import nn

from soco.config import PretrainConfig
from soco.pretrain.model import SoCo, pooling
from soco.pretrain.model import soco as model_file
from soco.pretrain.model.pooling import plan_assigned

RELEASE = PretrainConfig(pooling="release")
PEER = Variant("release, fp32, contiguous", RELEASE, channels_last=False)
BEST = Variant("assigned, bf16, channels-last", dtype=torch.bfloat16)
VARIANTS = (
    PEER,
    Variant("assigned, fp32, contiguous", channels_last=False),
    Variant("assigned, fp32, channels-last"),
    BEST,
)


def parts_of_a_step(stepper: Stepper, repeats: int) -> dict[str, float]:
    """Seconds of each part of a step."""
    watch_modules(stepper.model)
    step = stepper.plain
    SECONDS.clear()
    with (
        patch.object(pooling, "pool", timing(pooling.pool, "pooling")),
        patch.object(model_file, "plan_assigned", timing(plan_assigned, "plan of pooling")),
        patch.object(step, "begin", timing(step.begin, "EMA")),
        patch.object(torch.Tensor, "backward", timing(torch.Tensor.backward, "backward")),
        patch.object(step, "finish", timing(step.finish, "LARS")),
    ):
        start = time.perf_counter()
        for _ in range(repeats):
            stepper.step()
        SECONDS["all"] = time.perf_counter() - start
    return {name: seconds / repeats for name, seconds in SECONDS.items()}


SECONDS: dict[str, float] = {}


def watch_modules(model: SoCo) -> None:
    """Time the modules of both branches."""
    for suffix in ("", "_k"):
        encoder = getattr(model, f"encoder{suffix}")
        # The encoder and its stages are never called as a whole.
        blocks = [block for n in range(1, 5) for block in getattr(encoder, f"layer{n}")]
        for part in (encoder.conv1, encoder.bn1, encoder.relu, encoder.maxpool, *blocks):
            watch(part, "encoder")
        for name in ("neck", "head", "projector"):
            watch(getattr(model, f"{name}{suffix}"), name)
    watch(model.predictor, "predictor")


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
    parser.add_argument(
        "--batch", type=int, help="images in a step [4; with --device as in its tables]"
    )
    parser.add_argument(
        "--repeats", type=int, help="timed steps of each variant [3; with --device 12]"
    )
    parser.add_argument(
        "--compile", action="store_true", help="time compiled variants too (needs a C++ compiler)"
    )
    parser.add_argument(
        "--device",
        choices=("cuda", "cpu"),
        help="print the GPU's tables instead; cpu tries them without one",
    )
    parser.add_argument(
        "--limit", type=int, default=150, help="with --device: seconds for each variant [150]"
    )
    chosen = parser.parse_args()
    if chosen.device:
        print_device_tables(chosen.device, chosen.batch, chosen.repeats or 12, chosen.limit)
    else:
        print_cpu_tables(chosen.batch or 4, chosen.repeats or 3, chosen.compile)


def print_cpu_tables(count: int, repeats: int, with_compiled: bool) -> None:
    """Print speed, parts of a step and memory on the CPU.

    Args:
        count: Images in a step.
        repeats: Timed steps of each variant.
        with_compiled: Whether to time compiled variants, too.
    """
    compiled = [v.changed(f"{v.name}, compiled", compile=True) for v in VARIANTS[2:]]
    variants = [*VARIANTS, *(compiled if with_compiled else [])]
    steppers = {variant: Stepper(variant, count) for variant in variants}
    print(f"{count} images per step, {torch.get_num_threads()} threads, median of {repeats} steps")
    print_speed(steppers, count, repeats)
    print(f"Where a step of '{BEST.name}' spends its time")
    print_parts(parts_of_a_step(steppers[BEST], repeats))
    print("Peak memory per additional image")
    for variant in (PEER, BEST, BEST.changed(f"{BEST.name}, recompute", recompute=True)):
        few, many = (peak_memory(variant, count) for count in (2, 4))
        print(f"  {variant.name:<42}{(many - few) / 2:8.0f} MB")


if __name__ == "__main__":
    main()
