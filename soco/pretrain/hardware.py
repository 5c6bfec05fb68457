"""What the machine can do: which device trains, and in which arithmetic."""

import torch


def training_device(number: int = 0) -> torch.device:
    """The GPU of a number where there are GPUs, else the CPU."""
    return torch.device("cuda", number) if torch.cuda.is_available() else torch.device("cpu")


def fix_threads(number: int | None = None) -> None:
    """Compute in a number of threads from here on: where a sum is shared among another number, it rounds otherwise.

    Args:
        number: Threads of this process; None: as many as torch chose. MKL may then no longer take fewer for a product.
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
