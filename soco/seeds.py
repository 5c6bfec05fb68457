"""Random generators that depend only on the seed and on what is drawn.

No stage draws from a global generator: what one item gets does not change with the order of the
items, with the number of processes, or when a run resumes.
"""

import contextlib
import zlib
from collections.abc import Iterator

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one draw.

    Args:
        seed: The run's seed, at least 0.
        names: What is drawn: words, such as `plan/train`, and numbers, such as an epoch and the
            number of an image.
    """
    return np.random.default_rng(_entropy(seed, names))


@contextlib.contextmanager
def seeded_torch(seed: int, *names: str | int) -> Iterator[None]:
    """Seed torch's global generator, from which layers draw their weights, during the block.

    Its state is restored afterwards.

    Args:
        seed: The run's seed; without names it is torch's own seed.
        names: As for `generator`.
    """
    # Imported here: most stages draw with NumPy only.
    import torch

    # Only the CPU's generator: weights are drawn there, and asking for a GPU's would start CUDA.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, *names) if names else seed)
        yield


def torch_seed(seed: int, *names: str | int) -> int:
    """Return a 64-bit seed for torch; arguments as for `generator`."""
    high, low = np.random.SeedSequence(_entropy(seed, names)).generate_state(2)
    return int(high) << 32 | int(low)


def _entropy(seed: int, names: tuple[str | int, ...]) -> tuple[int, ...]:
    return (
        seed,
        # Not hash(), which differs from process to process for strings.
        *(zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names),
    )
