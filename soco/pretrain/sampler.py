"""The order of the images: a function of seed and step, so that a run resumes where it stopped."""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from soco.config import PretrainConfig
from soco.errors import UserError
from soco.pretrain.schedules import total_steps
from soco.seeds import generator

# Samples draw from generator(seed, epoch, number of the image). No image has this number.
_ORDER = 2**32


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, image number), shuffled in each epoch; the incomplete last is dropped.

    A step's `batch_size` images are split into `accumulate` gradient accumulation steps, and each
    of these among the processes. Together, the processes get the images that one alone would get.
    """

    def __init__(
        self,
        images: int,
        settings: PretrainConfig,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
        first_step: int = 0,
    ) -> None:
        """Order the batches of one process from step `first_step` to the end.

        Args:
            images: Number of images in the store.
            settings: The recipe, for `batch_size`, `epochs` and `accumulate`.
            seed: The run's seed.
            rank: Index of this process.
            ranks: Number of processes.
            first_step: The first step.

        Raises:
            UserError: There are fewer images than a step takes, or the processes cannot share a
                step evenly.
        """
        self.images, self.seed, self.first_step = images, seed, first_step
        self.batch_size, self._settings = settings.batch_size, settings
        self.accumulate, self.rank, self.ranks = settings.accumulate, rank, ranks
        if images < self.batch_size:
            raise UserError(
                "pretrain.too_few_images",
                "There are {images} images and batch_size is {batch_size}. Set batch_size to at"
                " most the number of images.",
                images=images,
                batch_size=self.batch_size,
            )
        if self.batch_size % (ranks * self.accumulate):
            raise UserError(
                "pretrain.uneven_batch",
                "batch_size is {batch_size}, which {processes} process(es) with {accumulate}"
                " gradient accumulation step(s) cannot share evenly. Set processes and accumulate"
                " so that their product divides it.",
                batch_size=self.batch_size,
                processes=ranks,
                accumulate=self.accumulate,
            )

    @property
    def steps_per_epoch(self) -> int:
        """Complete steps in an epoch."""
        return self.images // self.batch_size

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return total_steps(self.steps_per_epoch, self._settings)

    def of_epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the images of an epoch in order: (steps_per_epoch * batch_size,)."""
        order = generator(self.seed, epoch, _ORDER).permutation(self.images)
        return order[: self.steps_per_epoch * self.batch_size]

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.accumulate

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        share = self.batch_size // self.accumulate // self.ranks
        first_epoch, offset = divmod(self.first_step, self.steps_per_epoch)
        left = len(self)
        for epoch in itertools.count(first_epoch):
            # (steps, accumulate, ranks, share): processes split each part of a step, which has the
            # same images whatever their number.
            shares = self.of_epoch(epoch).reshape(-1, self.accumulate, self.ranks, share)
            for own in shares[offset:, :, self.rank].reshape(-1, share):
                if not left:
                    return
                left -= 1
                yield [(epoch, int(number)) for number in own]
            offset = 0  # only the epoch in which the run resumes begins in its middle
