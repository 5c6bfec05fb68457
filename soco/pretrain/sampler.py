"""Which images a step is made of.

A function of seed and step, so that a resumed run goes on where it stopped.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from soco.errors import UserError
from soco.seeds import generator

# Keeps this stream of chance apart from that of the samples, whose third number is an image's.
_ORDER = 2**32


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Passes of (epoch, image number), each epoch in an order of its own; images over at its end
    are left out.

    A step takes `batch_size` images, in `accumulate` passes one after another. Of each pass a
    process takes its
    share: together, the processes show what one alone would.
    """

    def __init__(
        self,
        images: int,
        batch_size: int,
        epochs: int,
        seed: int,
        accumulate: int = 1,
        rank: int = 0,
        ranks: int = 1,
        first_step: int = 0,
    ) -> None:
        """Order the passes from step `first_step` to the end.

        Raises:
            UserError: There are fewer images than a step takes, or its images cannot be shared
                evenly.
        """
        if images < batch_size:
            raise UserError(
                f"There are {images} images and batch_size is {batch_size}: a step needs that many;"
                " set batch_size to at most the number of images."
            )
        if batch_size % (ranks * accumulate):
            raise UserError(
                f"batch_size is {batch_size}, which {ranks} process(es) of {accumulate} pass(es) do"
                " not share evenly; set processes and accumulate so that their product divides it."
            )
        self.images, self.batch_size, self.epochs, self.seed = images, batch_size, epochs, seed
        self.accumulate, self.rank, self.ranks, self.first_step = (
            accumulate,
            rank,
            ranks,
            first_step,
        )

    @property
    def steps_per_epoch(self) -> int:
        """Whole steps in a pass over the images."""
        return self.images // self.batch_size

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def of_epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        """The images of an epoch, in their order: (steps_per_epoch * batch_size,)."""
        order = generator(self.seed, epoch, _ORDER).permutation(self.images)
        return order[: self.steps_per_epoch * self.batch_size]

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.accumulate

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        share = self.batch_size // self.accumulate // self.ranks
        first_epoch, offset = divmod(self.first_step, self.steps_per_epoch)
        for epoch in range(first_epoch, self.epochs):
            shares = self.of_epoch(epoch).reshape(-1, self.accumulate, self.ranks, share)
            for own in shares[offset:, :, self.rank].reshape(-1, share):
                yield [(epoch, int(number)) for number in own]
            offset = 0
