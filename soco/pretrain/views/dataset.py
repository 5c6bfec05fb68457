"""Views of an image by its number: what a sample is depends on seed, epoch and number alone."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from soco.config import PretrainConfig
from soco.data import Decoded, ImageSource, UnreadableImageError, decode_reduced, read_listed
from soco.data.stores.merged import ProposalStore
from soco.errors import UserError
from soco.pretrain.views.batch import Batch
from soco.pretrain.views.plan import Plan, largest_reduction, plan_views
from soco.pretrain.views.render import render
from soco.proposals.boxes import Boxes, rects_to_boxes
from soco.seeds import generator


class ViewDataset(Dataset[Batch]):
    """Images of a proposal store as views with corresponding boxes (SoCo section 3.2).

    `dataset[epoch, number]` draws from a generator seeded with (seed, epoch, number), so that a
    sample does not depend on workers, ranks or the order of loading. Where an image has no
    proposal, the whole image is its box.
    """

    def __init__(
        self, store: str | Path, source: ImageSource, settings: PretrainConfig, seed: int
    ) -> None:
        self.store = ProposalStore(store)
        self.source = source
        self.settings = settings
        self.seed = seed

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, place: tuple[int, int]) -> Batch:
        """Make the views of an image.

        Args:
            place: The epoch and the image's number in the store.

        Raises:
            UserError: The image can no longer be read, or is not the one that was listed.
        """
        number = place[1]
        plan = self.plan(place)
        image = self._image(
            number, largest_reduction(plan) if self.settings.reduced_decoding else 1
        )
        return Batch(render(plan, image.rgb, image.reduction), plan.pairs, torch.tensor(number))

    def plan(self, place: tuple[int, int]) -> Plan:
        """Draw the views of an image, without reading it."""
        epoch, number = place
        rng = generator(self.seed, epoch, number)
        return plan_views(rng, self.boxes(number), *self.store.size(number), self.settings)

    def boxes(self, number: int) -> Boxes:
        """The boxes that an image's views are drawn from: (N, 4) in its pixels.

        Box `id - 1` bears the id.
        """
        rects = self.store.rects(number)
        return rects_to_boxes(rects if len(rects) else np.array([[0, 0, *self.store.size(number)]]))

    def _image(self, number: int, reduction: int) -> Decoded:
        entry = self.store.entry(number)
        try:
            # The search took it, however large it is.
            image = decode_reduced(read_listed(self.source, entry), reduction, max_pixels=None)
        except UnreadableImageError as error:
            raise UserError(
                f"The image {entry.key!r} can no longer be read ({error}); restore it, or run the"
                " proposals again without it."
            ) from None
        if image.size != self.store.size(number):
            raise UserError(
                f"The image {entry.key!r} has {image.size[0]} x {image.size[1]} pixels, and had "
                "{} x {} when it was searched; restore it, or have all listed again with "
                "`snakemake --forcerun shard_images`.".format(*self.store.size(number))
            )
        return image
