"""Views of a picture by its number: what a sample is depends on seed, epoch and number alone."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from soco.boxes import Boxes, rects_to_boxes
from soco.config import PretrainConfig
from soco.errors import UserError
from soco.pictures import Decoded, PictureSource, UnreadablePictureError, decode_reduced, read_listed
from soco.stores.merged import ProposalStore
from soco.views.batch import Batch
from soco.views.plan import Plan, largest_reduction, plan_views
from soco.views.render import render


class ViewDataset(Dataset[Batch]):
    """Pictures of a proposal store as views with corresponding boxes (SoCo section 3.2).

    `dataset[epoch, number]` draws from a generator seeded with (seed, epoch, number), so that a sample does not
    depend on workers, ranks or the order of loading. Where a picture has no proposal, the whole picture is its box.
    """

    def __init__(self, store: str | Path, source: PictureSource, settings: PretrainConfig, seed: int) -> None:
        self.store = ProposalStore(store)
        self.source = source
        self.settings = settings
        self.seed = seed

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, place: tuple[int, int]) -> Batch:
        """Make the views of a picture.

        Args:
            place: The epoch and the picture's number in the store.

        Raises:
            UserError: The picture can no longer be read, or is not the one that was listed.
        """
        number = place[1]
        plan = self.plan(place)
        picture = self._picture(number, largest_reduction(plan) if self.settings.reduced_decoding else 1)
        return Batch(render(plan, picture.rgb, picture.reduction), plan.pairs, torch.tensor(number))

    def plan(self, place: tuple[int, int]) -> Plan:
        """Draw the views of a picture, without reading it."""
        epoch, number = place
        rng = np.random.default_rng((self.seed, epoch, number))
        return plan_views(rng, self.boxes(number), *self.store.size(number), self.settings)

    def boxes(self, number: int) -> Boxes:
        """The boxes that a picture's views are drawn from: (N, 4) in its pixels; box `id - 1` bears the id."""
        rects = self.store.rects(number)
        return rects_to_boxes(rects if len(rects) else np.array([[0, 0, *self.store.size(number)]]))

    def _picture(self, number: int, reduction: int) -> Decoded:
        entry = self.store.entry(number)
        try:
            # The search took it, however large it is.
            picture = decode_reduced(read_listed(self.source, entry), reduction, max_pixels=None)
        except UnreadablePictureError as error:
            raise UserError(
                f"The picture {entry.key!r} can no longer be read ({error}); restore it, or run the proposals again "
                "without it."
            ) from None
        if picture.size != self.store.size(number):
            raise UserError(
                f"The picture {entry.key!r} has {picture.size[0]} x {picture.size[1]} pixels, and had "
                "{} x {} when it was searched; restore it, or have all listed again with "
                "`snakemake --forcerun shard_pictures`.".format(*self.store.size(number))
            )
        return picture
