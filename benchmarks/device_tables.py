"""Tables of a pretraining step on a GPU: speed, memory, time of host and device, TFLOP/s.

Each variant is measured in a process of its own, so that one that fails, or takes too long, costs
its line only, and peak memory is its own.
"""

import dataclasses
import functools
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
from stepping import Stepper, Variant
from torch.utils.flop_counter import FlopCounterMode

from soco.config import DetectorConfig, PretrainConfig, ViewConfig, recipe
from soco.pretrain.precision import set_tf32

WARM_STEPS = 5  # they choose algorithms, fill the allocator's cache and capture the CUDA graph
COUNTED = 2  # images of the step whose FLOPs are counted
LONGEST_REASON = 100  # characters of a failure's line


@dataclasses.dataclass(frozen=True)
class Figures:
    """What was measured of a variant.

    Attributes:
        speed: Images per second, steps without a pause.
        peak: Peak memory of the GPU in GB; None on a CPU.
        host: Seconds until the calls of a step return, from an idle GPU.
        device: Seconds from the first to the last work of the GPU in the same step.
    """

    speed: float
    peak: float | None
    host: float
    device: float


@dataclasses.dataclass(frozen=True)
class Table:
    """Variants of one recipe.

    Attributes:
        title: The model and its views.
        count: Images per step.
        variants: Its lines.
    """

    title: str
    count: int
    variants: tuple[Variant, ...]


def tables() -> tuple[Table, ...]:
    """Return all tables."""
    return (
        Table("R50-FPN, 224/224/112", 128, fpn_variants()),
        Table("SoCo*, 224/224/192/112", 128, (default_of("star_400"), release_of("star_400"))),
        Table("C4, 224/224", 128, (default_of("c4_100"),)),
        Table("R18-FPN64, 128/128/64", 256, (small_variant(),)),
    )


def default_of(name: str) -> Variant:
    """Return what training does with a recipe on a GPU."""
    return Variant(
        "assigned, bf16, channels-last, CUDA graph (default)",
        *recipe(name),
        dtype=torch.bfloat16,
        graph=True,
    )


def release_of(name: str) -> Variant:
    """Return the authors' way: fp16, contiguous, every box on all levels."""
    variant = dataclasses.replace(
        default_of(name), dtype=torch.float16, channels_last=False, graph=False
    )
    return variant.changed("release, fp16, contiguous", pooling="release")


def fpn_variants() -> tuple[Variant, ...]:
    """Return the variants of R50-FPN: the authors' way, types and memory formats, less memory."""
    default, release = default_of("fpn_100"), release_of("fpn_100")
    plain = dataclasses.replace(default, name="assigned, bf16, channels-last", graph=False)
    single = dataclasses.replace(plain, name="assigned, fp32, channels-last", dtype=None)
    return (
        release,
        dataclasses.replace(release, name="release, fp32, contiguous", dtype=None),
        single,
        dataclasses.replace(single, name="assigned, tf32, channels-last", tf32=True),
        dataclasses.replace(
            plain, name="assigned, fp16, contiguous", dtype=torch.float16, channels_last=False
        ),
        plain,
        plain.changed("the same with recompute", recompute=True),
        plain.changed("the same with compile", compile=True),
        default,
    )


def small_variant() -> Variant:
    """Return a ResNet-18 with an FPN of 64 channels on small views."""
    views = (ViewConfig(size=128), ViewConfig(size=128, crop="a"), ViewConfig(size=64, crop="b"))
    settings = PretrainConfig(
        views=views, level_bounds=(28, 56, 112, 128), projector_hidden=1024, projector_out=128
    )
    detector = DetectorConfig(
        backbone="resnet18", fpn_channels=64, head_channels=64, head_convs=4, head_fc=256
    )
    return dataclasses.replace(default_of("fpn_100"), settings=settings, detector=detector)


def print_device_tables(device: str, count: int | None, repeats: int, limit: int) -> None:
    """Measure all variants on a device, and print the tables.

    Args:
        device: `cuda`, or `cpu` to try the benchmark itself.
        count: Images per step; None: those of each table.
        repeats: Timed steps of each variant.
        limit: Seconds that a variant may take.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("There is no GPU that torch can use.")
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "CPU"
    print(f"{name}, {os.cpu_count()} cores, torch {torch.__version__}", end=", ")
    print(f"Python {platform.python_version()}, {repeats} steps")
    for table in tables():
        images = count or table.count
        print(f"\n| {table.title}, batch {images}, random pixels ", end="")
        print("| images/s | peak GB | host ms | device ms | TFLOP/s |\n|---|---|---|---|---|---|")
        for variant in table.variants:
            figures = measured_alone(variant, images, device, repeats, limit)
            print(f"| {variant.name} | {cells(figures, variant, images)} |", flush=True)


def cells(figures: Figures | str, variant: Variant, count: int) -> str:
    """Return the cells of a line: the figures, or why there are none."""
    if isinstance(figures, str):
        return f"{figures} | | | |"
    # Recomputing does more work for the same step; only the step's own work counts.
    plain = variant.settings.model_copy(update={"recompute": False, "compile": False})
    rate = flops_of_image(plain, variant.detector) * figures.speed / 1e12
    peak = "–" if figures.peak is None else f"{figures.peak:.1f}"
    times = f"{1e3 * figures.host:.1f} | {1e3 * figures.device:.1f}"
    return f"{figures.speed:,.4g} | {peak} | {times} | {rate:.3g}"


@functools.cache
def flops_of_image(settings: PretrainConfig, detector: DetectorConfig) -> float:
    """Count the floating-point operations of a step for one image, on the CPU.

    Those of convolutions and matrix products, forward and backward; the rest is not counted. A
    multiplication and an addition are two operations.
    """
    stepper = Stepper(Variant("counted", settings, detector), COUNTED)
    with FlopCounterMode(display=False) as counter:
        stepper.gradient()
    return counter.get_total_flops() / COUNTED


def measured_alone(
    variant: Variant, count: int, device: str, repeats: int, limit: int
) -> Figures | str:
    """Measure a variant in a process of its own; return why it failed, if it did."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (sender, variant, count, device, repeats)
    process = context.Process(target=_measure_into, args=arguments)
    process.start()
    sender.close()  # now the process has the only one, and its end is an EOFError here
    try:
        return receiver.recv() if receiver.poll(limit) else f"not finished within {limit} s"
    except EOFError:
        process.join()
        return f"its process ended with code {process.exitcode}"
    finally:
        process.kill()
        process.join()


def _measure_into(
    sender: Connection, variant: Variant, count: int, device: str, repeats: int
) -> None:
    try:
        sender.send(measure(variant, count, device, repeats))
    except Exception as error:  # a line in the table, whatever it is
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        sender.send(reason[:LONGEST_REASON].replace("|", "/"))


def measure(variant: Variant, count: int, device: str, repeats: int) -> Figures:
    """Measure a variant on a device in this process."""
    set_tf32(variant.tf32)
    stepper = Stepper(variant, count, device)
    for _ in range(WARM_STEPS):
        stepper.step()
    if stepper.has_no_graph:
        raise RuntimeError("the step could not be captured as a CUDA graph; see the warning")
    synchronise(device)
    if device == "cuda":  # without what the comparison of a graph needs once
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    for _ in range(repeats):
        stepper.step()
    synchronise(device)
    speed = count * repeats / (time.perf_counter() - start)
    times = [host_and_device(stepper.step, device) for _ in range(repeats)]
    host, on_device = (statistics.median(of_all) for of_all in zip(*times, strict=True))
    peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None
    return Figures(speed, peak, host, on_device)


def synchronise(device: str) -> None:
    """Wait until the device has done all its work."""
    if device == "cuda":
        torch.cuda.synchronize()


def host_and_device(step: Callable[[], None], device: str) -> tuple[float, float]:
    """Return the seconds that a step takes the host, and the device; on a CPU they are one."""
    if device == "cpu":
        start = time.perf_counter()
        step()
        took = time.perf_counter() - start
        return took, took
    # From an idle GPU: otherwise the host would wait for room in the queue.
    torch.cuda.synchronize()
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    start = time.perf_counter()
    step()
    host = time.perf_counter() - start
    last.record()
    torch.cuda.synchronize()
    return host, first.elapsed_time(last) / 1e3
