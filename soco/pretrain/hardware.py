"""What the machine can do: which device trains, and in which arithmetic."""

import os

import torch

from soco.errors import UserError


def see_that_cores_suffice(processes: int, workers: int) -> None:
    """Refuse numbers of processes under which a machine comes to a stop before the first step.

    A core may well take turns: it is many times the usual that is refused.

    Args:
        processes: That train together on this machine.
        workers: That make views or load images, for each of them.

    Raises:
        UserError: Without GPUs there are more than eight processes and twice the cores, or there
            are more than 64 workers and eight times the cores.
    """
    cores = os.cpu_count() or 1
    most_processes, most_workers = max(8, 2 * cores), max(64, 8 * cores)
    if not torch.cuda.is_available() and processes > most_processes:
        raise UserError(
            f"processes is {processes}, and this machine has no GPU and {cores} core(s): lower it"
            f" to at most {most_processes}."
        )
    if processes * workers > most_workers:
        raise UserError(
            f"workers is {workers} for each of {processes} process(es), and this machine has"
            f" {cores} core(s): lower it to at most {most_workers // processes}."
        )


def training_device(number: int = 0) -> torch.device:
    """The GPU of a number where there are GPUs, else the CPU."""
    return torch.device("cuda", number) if torch.cuda.is_available() else torch.device("cpu")


def fix_threads(number: int | None = None) -> None:
    """Compute in a number of threads from here on: where a sum is shared among another number, it
    rounds otherwise.

    Args:
        number: Threads of this process; None: as many as torch chose. MKL may then no longer take
            fewer for a product.
    """
    torch.set_num_threads(number or torch.get_num_threads())


def autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    """The reduced type that the model computes in, None for float32.

    Args:
        precision: `fp32`, `bf16`, `fp16` or `auto`: bf16 where the hardware multiplies it.
        device: Where training runs.
    """
    if precision == "auto":
        return torch.bfloat16 if _multiplies_bf16(device) else None
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()
