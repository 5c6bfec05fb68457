"""Which pictures a step is made of: a function of seed and step, so that a resumed run goes on where it stopped."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from soco.errors import UserError

# Keeps this stream of chance apart from that of the samples, whose third number is a picture's.
_ORDER = 2**32


class PictureOrder(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, picture number), each epoch in an order of its own; pictures over at its end are left out."""

    def __init__(self, pictures: int, batch_size: int, epochs: int, seed: int, first_step: int = 0) -> None:
        """Order the steps from `first_step` to the end.

        Raises:
            UserError: There are fewer pictures than a batch takes.
        """
        if pictures < batch_size:
            raise UserError(
                f"There are {pictures} pictures and batch_size is {batch_size}: a step needs that many; "
                "set batch_size to at most the number of pictures."
            )
        self.pictures, self.batch_size, self.epochs, self.seed = pictures, batch_size, epochs, seed
        self.first_step = first_step

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in a pass over the pictures."""
        return self.pictures // self.batch_size

    def __len__(self) -> int:
        return self.epochs * self.steps_per_epoch - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        first_epoch, offset = divmod(self.first_step, self.steps_per_epoch)
        for epoch in range(first_epoch, self.epochs):
            order = np.random.default_rng((self.seed, epoch, _ORDER)).permutation(self.pictures)
            for step in range(offset, self.steps_per_epoch):
                batch = order[step * self.batch_size : (step + 1) * self.batch_size]
                yield [(epoch, int(number)) for number in batch]
            offset = 0
