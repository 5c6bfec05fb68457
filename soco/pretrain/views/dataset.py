"""The training data: views of the images of a proposal store."""

import signal
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from soco.config import PretrainConfig
from soco.data import Decoded, Entry, ImageSource, UnreadableImageError, decode_reduced
from soco.data.sources.folder import FolderSource
from soco.data.stores.proposal_store import ProposalStore
from soco.errors import UserError
from soco.pretrain.views.batch import Batch, collate
from soco.pretrain.views.plan import Plan, largest_reduction, plan_views
from soco.pretrain.views.render import render
from soco.proposals.boxes import Boxes, rects_to_boxes
from soco.seeds import generator


class ViewDataset(Dataset[Batch]):
    """Images of a proposal store as views with corresponding boxes (SoCo section 3).

    `dataset[epoch, number]` draws from a generator seeded with (seed, epoch, number): a sample does
    not depend on workers, ranks, the order of loading, or where a run was resumed. An image without
    proposals has one box, the whole image; with `boxes: whole`, every image has.
    """

    def __init__(
        self, store: str | Path, source: ImageSource, settings: PretrainConfig, seed: int
    ) -> None:
        """Open the store.

        Args:
            store: Arrow file of the merged proposals.
            source: The images.
            settings: The recipe.
            seed: The seed of all draws.
        """
        self.store = ProposalStore(store)
        self.source = source
        self.settings = settings
        self.seed = seed

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, place: tuple[int, int]) -> Batch:
        """Make the views of an image.

        Args:
            place: The epoch, and the image's number in the store.

        Raises:
            UserError: The image is unreadable or has changed since it was listed.
        """
        number = place[1]
        # Drawn before the image is read, since the crops decide at what size it can be decoded.
        plan = self.plan(place)
        reduction = largest_reduction(plan) if self.settings.reduced_decoding else 1
        image = self._image(number, reduction)
        return Batch(render(plan, image.rgb, image.reduction), plan.pairs, torch.tensor(number))

    def plan(self, place: tuple[int, int]) -> Plan:
        """Draw the views of an image without reading it; `place` is as for `dataset[place]`."""
        epoch, number = place
        rng = generator(self.seed, epoch, number)
        return plan_views(rng, self.boxes(number), *self.store.size(number), self.settings)

    def boxes(self, number: int) -> Boxes:
        """Return an image's boxes, (N, 4) in its pixels; the box with index i has the id i + 1."""
        whole = np.array([[0, 0, *self.store.size(number)]])
        if self.settings.boxes == "whole":
            return rects_to_boxes(whole)
        rects = self.store.rects(number)
        return rects_to_boxes(rects if len(rects) else whole)

    def _image(self, number: int, reduction: int) -> Decoded:
        entry = self.store.entry(number)
        try:
            data = self.source.read(entry)
            self._check_length(entry, len(data))
            # No limit on the pixels: the search accepted the image.
            image = decode_reduced(data, reduction, max_pixels=None)
        except UnreadableImageError as error:
            raise UserError(
                "pretrain.image_unreadable",
                "The image {image!r} can no longer be read ({reason}). Restore it, or run the"
                " proposal stages again without it.",
                image=entry.key,
                reason=str(error),
            ) from None
        # Boxes are in pixels: on an image of another size they would silently mark other places.
        if image.size != self.store.size(number):
            raise UserError(
                "pretrain.image_resized",
                "The image {image!r} has {found} pixels, but had {searched} pixels when it was"
                " searched. Restore it, or list the images again with `snakemake --forcerun"
                " shard_images`.",
                image=entry.key,
                found="{} x {}".format(*image.size),
                searched="{} x {}".format(*self.store.size(number)),
            )
        return image

    def _check_length(self, entry: Entry, length: int) -> None:
        """Refuse an image file that is longer or shorter than when it was listed.

        Only lengths are compared: a SHA-256 of every image in every epoch would cost about as much
        as reading it. `soco audit` compares the hashes.
        """
        # A container lists a compressed length (zip) or a mean length (Parquet), and content is 0
        # where an image was never read for listing.
        if isinstance(self.source, FolderSource) and entry.content and length != entry.bytes:
            raise UserError(
                "pretrain.image_replaced",
                "The image {image!r} has {found} bytes, but had {listed} bytes when it was listed."
                " Restore it, or list the images again with `snakemake --forcerun shard_images`.",
                image=entry.key,
                found=length,
                listed=entry.bytes,
            )


class Reported(Dataset[Batch | UserError]):
    """A data set that returns a `UserError` as the sample instead of raising it.

    A data loader rebuilds a worker's exception from its traceback as text, which loses the code and
    the values. A returned error is pickled whole.
    """

    def __init__(self, dataset: ViewDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, place: tuple[int, int]) -> Batch | UserError:
        try:
            return self.dataset[place]
        except UserError as error:
            return error

    @staticmethod
    def collate(samples: list[Batch | UserError]) -> Batch | UserError:
        """Stack images into a batch, or return the first error among them."""
        batch = [sample for sample in samples if isinstance(sample, Batch)]
        errors = [sample for sample in samples if isinstance(sample, UserError)]
        return errors[0] if errors else collate(batch)


def prepare_worker(worker: int) -> None:
    """Prepare a data loader's worker; passed as its `worker_init_fn`.

    Each gets one thread, since the workers share the cores. SIGTERM and SIGINT, which a cluster and
    Ctrl-C send to all processes, are ignored, so that the trainer can finish its step and save a
    checkpoint. The trainer must therefore kill its workers: at exit `multiprocessing` would send
    them SIGTERM and wait forever.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # 0: no threads of its own
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
