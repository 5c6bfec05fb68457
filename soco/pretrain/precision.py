"""The arithmetic of the model: which precision, and how `auto` chooses one."""

import copy
import logging
import statistics
import time

import torch

from soco import torch_compat
from soco.pretrain.model import SoCo
from soco.pretrain.views import Batch

log = logging.getLogger(__name__)

_AUTOCAST = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_ROUNDS = 3  # timed steps of each precision, after one that is not timed
# bf16 rounds more coarsely: it must pay.
_LEAST_GAIN = 1.1


def autocast_type(precision: str) -> torch.dtype | None:
    """Return the type in which autocast computes; None for float32.

    Args:
        precision: `fp32`, `tf32`, `bf16` or `fp16`.
    """
    return _AUTOCAST[precision]


def set_tf32(allowed: bool) -> None:
    """Let GPUs round the factors of float32 products to TF32's 10 bits, or forbid it.

    torch's default allows it for convolutions, which moves the losses of a batch by up to 0.03.
    """
    # torch has two generations of flags, and its own code reads both (`cudnn.flags`, templates of
    # inductor). It raises an error where they contradict each other.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    name = "tf32" if allowed else "ieee"
    torch.backends.cuda.matmul.fp32_precision = name
    torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.rnn.fp32_precision = name


def known_precision(precision: str, device: torch.device) -> str | None:
    """Return the precision that a setting means on a device; None if only a measurement tells.

    Args:
        precision: `fp32`, `tf32`, `bf16`, `fp16` or `auto`.
        device: The device that trains.
    """
    if precision == "tf32" and device.type == "cpu":
        return "fp32"  # a CPU has no TF32
    if precision != "auto":
        return precision
    if device.type == "cuda":
        # GPUs before Ampere emulate bf16, which is no faster than float32.
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # A CPU may have instructions for bf16 products and still be slower with them.
    return None if torch_compat.cpu_multiplies_bf16() else "fp32"


def fastest_precision(model: SoCo, batch: Batch) -> str:
    """Time steps of a model on a CPU in float32 and in bf16, and return the faster one's name.

    The steps train a copy; the model stays as it is.

    Args:
        model: The model.
        batch: Images to train on; a few are enough.
    """
    trial = copy.deepcopy(model)
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    # The first round allocates memory and is dropped. Rounds alternate, so that another program on
    # the machine slows down both.
    for _ in range(1 + _ROUNDS):
        for precision, times in seconds.items():
            times.append(_time_step(trial, batch, autocast_type(precision)))
    fp32, bf16 = (len(batch.numbers) / statistics.median(times[1:]) for times in seconds.values())
    chosen = "bf16" if bf16 > _LEAST_GAIN * fp32 else "fp32"
    log.info(
        "precision auto: %s (fp32 %.1f images/s, bf16 %.1f images/s in a trial of %d images)",
        chosen,
        fp32,
        bf16,
        len(batch.numbers),
    )
    return chosen


def _time_step(model: SoCo, batch: Batch, dtype: torch.dtype | None) -> float:
    """Seconds of a forward and a backward pass."""
    start = time.perf_counter()
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        loss = model(batch).loss
    loss.backward()
    model.zero_grad(set_to_none=True)
    return time.perf_counter() - start
