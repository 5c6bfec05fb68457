"""Features of labelled images, computed once for all probes and kept in memory.

4 bytes x images x channels.
"""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from soco.errors import UserError
from soco.machine import let_no_worker_fall_silent
from soco.pretrain.model.encoder import channels_of
from soco.pretrain.views import prepare_worker
from soco.progress import progress_bar
from soco.transfer.probe.backbone import pooled_c5
from soco.transfer.probe.folder import LabelledFolder
from soco.transfer.probe.views import CentralViews

log = logging.getLogger(__name__)

_BATCH = 64


@dataclass(frozen=True)
class Features:
    """What the backbone makes of a folder's images.

    Attributes:
        vectors: (N, D) float32 on the CPU.
        labels: (N,) int64.
        skipped: Images that could not be read, and are not among the N.
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
    """Run the backbone over every image of a folder, in float32.

    Args:
        encoder: The ResNet in eval mode, on the device.
        folder: The images.
        short_side: See `central_view`.
        crop: See `central_view`.
        workers: Processes that load images.
        device: Where the backbone runs.

    Raises:
        UserError: Of a class no image can be read, or features are not finite.
    """
    views = CentralViews(folder, short_side, crop)
    let_no_worker_fall_silent()
    loader = DataLoader(
        views,
        batch_size=_BATCH,
        num_workers=workers,
        collate_fn=_stacked,
        worker_init_fn=prepare_worker,
        multiprocessing_context="fork" if workers else None,
    )
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
            paths = folder.paths[len(readable) : len(readable) + len(faults)]
            for path, fault in zip(paths, faults, strict=True):
                if fault is not None:
                    log.warning("skipped %s: %s", path, fault)
            readable += [fault is None for fault in faults]
            bar.update(len(faults))
    found = Features(
        vectors[:kept], torch.tensor(folder.labels)[torch.tensor(readable)], len(views) - kept
    )
    _see_that_they_serve(found, folder)
    return found


def _stacked(batch: list[Tensor | str]) -> tuple[Tensor | None, list[str | None]]:
    """Readable views as one tensor (B, 3, S, S), for a worker opens a file for each that it sends; and all faults."""
    views = [view for view in batch if isinstance(view, Tensor)]
    return torch.stack(views) if views else None, [
        view if isinstance(view, str) else None for view in batch
    ]


def _see_that_they_serve(found: Features, folder: LabelledFolder) -> None:
    counts = torch.bincount(found.labels, minlength=len(folder.classes)).tolist()
    if 0 in counts:
        name = folder.classes[counts.index(0)]
        raise UserError(
            f"Of {folder.root / name} no image can be read, for the reasons told above: replace"
            " them, or the class."
        )
    if not all(block.isfinite().all() for block in found.vectors.split(1 << 16)):
        raise UserError(
            f"The backbone's features of {folder.root} are not finite: its weights diverged; take"
            " others."
        )
