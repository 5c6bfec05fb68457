"""Views of a picture by its number: what a sample is depends on seed, epoch and number alone."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import InterpolationMode, functional

from soco.boxes import Boxes, rects_to_boxes
from soco.config import PretrainConfig
from soco.errors import UserError
from soco.pictures import PictureSource, UnreadablePictureError, decode_rgb, read_listed
from soco.stores.merged import ProposalStore
from soco.views.appearance import cut_out, normalise, recolour
from soco.views.batch import Batch, Pair
from soco.views.boxes import draw, flip, jitter, overlapping, seen_in
from soco.views.crops import Crop, random_crop, whole

_TRIES = 5


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
        epoch, number = place
        rng = np.random.default_rng((self.seed, epoch, number))
        picture = self._picture(number)
        height, width = picture.shape[1:]
        boxes = rects_to_boxes(self.store.rects(number))
        if not len(boxes):
            boxes = rects_to_boxes(np.array([[0, 0, width, height]]))
        views, pairs = make_views(rng, picture, boxes, self.settings)
        return Batch(views, pairs, torch.tensor(number))

    def _picture(self, number: int) -> Tensor:
        entry = self.store.entry(number)
        try:
            # The search took it, however large it is.
            return torch.from_numpy(decode_rgb(read_listed(self.source, entry), max_pixels=None)).permute(2, 0, 1)
        except UnreadablePictureError as error:
            raise UserError(
                f"The picture {entry.key!r} can no longer be read ({error}); restore it, or run the proposals again "
                "without it."
            ) from None


def make_views(
    rng: np.random.Generator, picture: Tensor, boxes: Boxes, settings: PretrainConfig
) -> tuple[tuple[Tensor, ...], tuple[Pair, ...]]:
    """Draw the crops, the boxes and the colours of all views of one picture.

    Args:
        rng: Source of all chance.
        picture: (3, H, W) uint8.
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the picture; at least one.
        settings: The recipe.

    Returns:
        The views, (3, S, S) float32 each, and a pair of box sets for each view after the first.
    """
    height, width = picture.shape[1:]
    crops = _draw_crops(rng, boxes, width, height, settings)
    chosen = [draw(rng, _candidates(boxes, crop), settings.boxes) for crop in crops[1:]]
    flips = rng.random(len(crops)) < 0.5
    pairs, seen_by_view = [], [np.empty((0, 4), np.float32)]
    for number, (crop, of_pair) in enumerate(zip(crops[1:], chosen, strict=True), start=1):
        moved = _jitter_once(rng, boxes, of_pair, (width, height), settings)
        seen_1, seen_v = seen_in(moved, crops[0]), seen_in(boxes[of_pair], crop)
        seen_1, seen_v = (flip(seen) if flips[view] else seen for view, seen in ((0, seen_1), (number, seen_v)))
        seen_by_view.append(seen_v)
        pairs.append(_pair(seen_1, seen_v, of_pair))
    views = []
    for number, (view, crop) in enumerate(zip(settings.views, crops, strict=True)):
        pixels = _resize(picture, crop, view.size, bool(flips[number]))
        normalised = normalise(recolour(rng, pixels, first=number == 0))
        views.append(cut_out(rng, normalised, seen_by_view[number], settings.cutout_probability))
    return tuple(views), tuple(pairs)


def _draw_crops(
    rng: np.random.Generator, boxes: Boxes, width: int, height: int, settings: PretrainConfig
) -> list[Crop]:
    named: dict[str, Crop] = {}
    for view in settings.views:
        if view.crop is not None and view.crop not in named:
            named[view.crop] = _crop_with_boxes(rng, boxes, width, height, settings.crop_scale)
    return [whole(width, height) if view.crop is None else named[view.crop] for view in settings.views]


def _crop_with_boxes(rng: np.random.Generator, boxes: Boxes, width: int, height: int, smallest: float) -> Crop:
    """Try five crops for at least two boxes, then five for one; at last take the whole picture, which has all."""
    for least in (min(2, len(boxes)), 1):
        for _ in range(_TRIES):
            crop = random_crop(rng, width, height, smallest)
            if overlapping(boxes, crop).sum() >= least:
                return crop
    return whole(width, height)


def _candidates(boxes: Boxes, crop: Crop) -> npt.NDArray[np.integer]:
    """The boxes that overlap a crop; all of them where none does (boxes of no area, in a picture of a few pixels)."""
    seen = np.flatnonzero(overlapping(boxes, crop))
    return seen if len(seen) else np.arange(len(boxes))


def _jitter_once(
    rng: np.random.Generator,
    boxes: Boxes,
    chosen: npt.NDArray[np.integer],
    picture: tuple[int, int],
    settings: PretrainConfig,
) -> Boxes:
    """Jitter the chosen boxes, a box that was chosen twice once: padding repeats what it repeats."""
    distinct, places = np.unique(chosen, return_inverse=True)
    return jitter(rng, boxes[distinct], picture, settings.jitter, settings.jitter_probability)[places]


def _pair(seen_1: Boxes, seen_v: Boxes, of_pair: npt.NDArray[np.integer]) -> Pair:
    # Ids count from 1, as in the release; a padded box repeats the id of the box it repeats.
    ids = torch.from_numpy(of_pair.astype(np.int64) + 1)
    return Pair(torch.from_numpy(seen_1), ids, torch.from_numpy(seen_v), ids)


def _resize(picture: Tensor, crop: Crop, size: int, flipped: bool) -> Tensor:
    pixels = functional.resized_crop(
        picture, crop.top, crop.left, crop.height, crop.width, [size, size], InterpolationMode.BILINEAR, antialias=True
    )
    return functional.horizontal_flip(pixels) if flipped else pixels
