"""Features of labelled images, computed once for all probes and kept in memory.

They take 4 bytes per image and channel.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from soco.data import UnreadableImageError, read_rgb
from soco.errors import UserError
from soco.numba_cache import Bytes, Floats
from soco.pretrain.model.encoder import channels_of
from soco.pretrain.views import prepare_worker
from soco.pretrain.views.colours import normalise
from soco.pretrain.views.resize import resize
from soco.progress import progress_bar
from soco.torch_compat import report_worker_errors
from soco.transfer.probe.backbone import pooled_c5
from soco.transfer.probe.folder import LabelledFolder

log = logging.getLogger(__name__)

_BATCH = 64


@dataclass(frozen=True)
class Features:
    """Features of a folder's images.

    Attributes:
        vectors: (N, D) float32 on the CPU.
        labels: (N,) int64.
        skipped: Number of unreadable images, which are not among the N.
    """

    vectors: Tensor
    labels: Tensor
    skipped: int


def features_of(
    encoder: nn.Module,
    folder: LabelledFolder,
    short_side: int,
    crop: int,
    workers: int,
    device: torch.device,
) -> Features:
    """Run the backbone on every image of a folder, in float32.

    Args:
        encoder: The ResNet in eval mode, on the device.
        folder: The images.
        short_side: See `central_view`.
        crop: See `central_view`.
        workers: Number of processes that load images.
        device: Where the backbone runs.

    Raises:
        UserError: A class has no readable image, or features are not finite.
    """
    views = CentralViews(folder, short_side, crop)
    report_worker_errors()
    loader = DataLoader(
        views,
        batch_size=_BATCH,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=prepare_worker,
        multiprocessing_context="fork" if workers else None,
    )
    # Allocated once: concatenating batches would need the memory of all features twice.
    vectors, kept = torch.empty(len(views), channels_of(encoder)[-1]), 0
    readable: list[bool] = []
    with (
        torch.inference_mode(),
        progress_bar(len(views), f"features of {folder.root}", "image") as bar,
    ):
        for images, faults in loader:
            if images is not None:
                vectors[kept : kept + len(images)] = pooled_c5(encoder, images.to(device)).cpu()
                kept += len(images)
            # The loader keeps the folder's order, by which faults find their files.
            paths = folder.paths[len(readable) : len(readable) + len(faults)]
            for path, fault in zip(paths, faults, strict=True):
                if fault is not None:
                    log.warning("skipped %s: %s", path, fault)
            readable += [fault is None for fault in faults]
            bar.update(len(faults))
    features = Features(
        vectors[:kept], torch.tensor(folder.labels)[torch.tensor(readable)], len(views) - kept
    )
    _check(features, folder)
    return features


def central_view(rgb: Bytes, short_side: int, crop: int) -> Floats:
    """Resize an image to a shorter side and crop a square from its centre, in one pass.

    Args:
        rgb: (H, W, 3) uint8.
        short_side: Shorter side after resizing, in pixels.
        crop: S, side of the square, at most `short_side`.

    Returns:
        (3, S, S) float32, normalised like the views of pretraining.
    """
    height, width = rgb.shape[:2]
    # The part of the original image that the crop would show after resizing.
    side = min(height, width) * crop / short_side
    left, top = (width - side) / 2, (height - side) / 2
    return normalise(resize(rgb, (left, top, left + side, top + side), crop, flipped=False))


class CentralViews(Dataset[Tensor | str]):
    """The central views of a folder's images; for an unreadable image, the reason."""

    def __init__(self, folder: LabelledFolder, short_side: int, crop: int) -> None:
        # One array: workers would copy a list page by page as they count references to its items.
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


def _collate(batch: list[Tensor | str]) -> tuple[Tensor | None, list[str | None]]:
    """Stack the readable views to (B, 3, S, S), and list each view's fault or None.

    A single tensor, because a worker opens a file for each tensor that it sends.
    """
    views = [view for view in batch if isinstance(view, Tensor)]
    faults = [view if isinstance(view, str) else None for view in batch]
    return torch.stack(views) if views else None, faults


def _check(features: Features, folder: LabelledFolder) -> None:
    counts = torch.bincount(features.labels, minlength=len(folder.classes)).tolist()
    if 0 in counts:
        raise UserError(
            "probe.unreadable_class",
            "No image of {folder} can be read, for the reasons above; replace the images, or remove"
            " the class.",
            folder=folder.root / folder.classes[counts.index(0)],
        )
    # In blocks, since isfinite makes a mask of the size of its input.
    if not all(block.isfinite().all() for block in features.vectors.split(1 << 16)):
        raise UserError(
            "probe.not_finite",
            "The backbone's features of {folder} are not finite, probably because its training"
            " diverged; give other weights.",
            folder=folder.root,
        )
