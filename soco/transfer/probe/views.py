"""What a backbone is shown of a labelled image: the square in its middle."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from soco.data import UnreadableImageError, read_rgb
from soco.numba_cache import Bytes, Floats
from soco.pretrain.views.colours import normalise
from soco.pretrain.views.resize import resize
from soco.transfer.probe.folder import LabelledFolder


def central_view(rgb: Bytes, short_side: int, crop: int) -> Floats:
    """Resize an image to a shorter side and cut a square from its middle, in one pass.

    Args:
        rgb: (H, W, 3) uint8.
        short_side: Shorter side after resizing, in pixels.
        crop: S, side of the square, no more than `short_side`.

    Returns:
        (3, S, S) float32, normalised as pretraining normalises its views.
    """
    height, width = rgb.shape[:2]
    side = min(height, width) * crop / short_side
    left, top = (width - side) / 2, (height - side) / 2
    return normalise(resize(rgb, (left, top, left + side, top + side), crop, flipped=False))


class CentralViews(Dataset[Tensor | str]):
    """The central views of a folder's images; in place of one that cannot be read, the reason."""

    def __init__(self, folder: LabelledFolder, short_side: int, crop: int) -> None:
        # Object arrays and lists would be copied page by page into every worker that counts
        # references to them.
        self.paths = np.array([str(path) for path in folder.paths])
        self.short_side, self.crop = short_side, crop

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Tensor | str:
        try:
            rgb = read_rgb(str(self.paths[number]))
        except UnreadableImageError as error:
            return str(error)
        return torch.from_numpy(central_view(rgb, self.short_side, self.crop))
