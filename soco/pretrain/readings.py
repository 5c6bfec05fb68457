"""The results of steps, read from the device every few steps instead of after each of them.

Reading waits until the GPU has done all steps up to now, and the GPU then waits for the host to
launch the next one. Without a GPU a reading costs nothing, but the same code runs.
"""

import dataclasses
import math
import time

import torch

from soco.pretrain.step import VALUES, Taken

# Slow steps are read more often than `log_every` says: a stop signal must not wait longer.
_MOST_SECONDS = 5.0


@dataclasses.dataclass
class Reading:
    """The results of some steps in this process.

    Attributes:
        numbers: The steps.
        values: For each step the means of `VALUES` over its gradient accumulation steps.
        failed: For each step the numbers of the images in a batch whose loss was not finite.
    """

    numbers: list[int]
    values: list[dict[str, float]]
    failed: list[list[int]]

    @property
    def first_failed(self) -> int | None:
        """Index of the first step whose loss is not finite."""
        losses = enumerate(values["loss"] for values in self.values)
        return next((index for index, loss in losses if not math.isfinite(loss)), None)


class Window:
    """Collects steps until it is time to read them.

    That is after every `log_every` steps, where the log has a line, and before if these would take
    long. All processes must read after the same steps, so that they can agree on what they read.
    """

    def __init__(self, first_step: int, steps: int, log_every: int) -> None:
        """Begin before the first step.

        Args:
            first_step: The first step: 0, or that of the checkpoint.
            steps: Steps of the whole run.
            log_every: Steps between two lines of the log.
        """
        self._steps, self._log_every = steps, log_every
        self._taken: list[tuple[int, Taken]] = []
        # The first step alone: how long steps take is not known.
        self._last, self._began = first_step, time.monotonic()

    def add(self, number: int, taken: Taken) -> None:
        """Add a step."""
        self._taken.append((number, taken))

    @property
    def is_due(self) -> bool:
        """Whether it is time to read."""
        return bool(self._taken) and self._taken[-1][0] >= self._last

    @property
    def seconds_per_step(self) -> float:
        """Mean duration of the steps collected, once they are read."""
        return (time.monotonic() - self._began) / max(1, len(self._taken))

    def read(self) -> Reading:
        """Wait for the device, and return the results of the steps collected."""
        # All at once: (steps, accumulate, 4).
        values = torch.stack([taken.values for _, taken in self._taken]).cpu()
        means = (values / values.shape[1]).sum(dim=1).tolist()
        finite = torch.isfinite(values[..., 0]).tolist()
        failed = [
            [
                number
                for images, ok in zip(taken.images, oks, strict=True)
                if not ok
                for number in images.tolist()
            ]
            for (_, taken), oks in zip(self._taken, finite, strict=True)
        ]
        named = [dict(zip(VALUES, of_step, strict=True)) for of_step in means]
        return Reading([number for number, _ in self._taken], named, failed)

    def restart(self, seconds_per_step: float) -> None:
        """Forget the steps that were read, and plan the next reading.

        Args:
            seconds_per_step: Duration of a step, the same number in all processes.
        """
        following = self._taken[-1][0] + 1
        # The next step with a line in the log: a multiple of `log_every`, or the last step.
        line = min(math.ceil(following / self._log_every) * self._log_every, self._steps - 1)
        patience = int(_MOST_SECONDS / max(seconds_per_step, 1e-6))
        self._last = min(line, following + max(0, patience - 1))
        self._taken, self._began = [], time.monotonic()
