"""A few pictures with their proposals, chosen evenly from the store: the same store gives the same gallery."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from soco.choice import evenly
from soco.pictures import UnreadablePictureError, read_rgb
from soco.report.drawing import COLOURS, Mark, Picture, draw_boxes
from soco.report.spread import counts_per_picture
from soco.stores.schema import rects_of

log = logging.getLogger(__name__)

PICTURES = 8
BOXES = len(COLOURS)
_WIDTH = 300


def proposal_gallery(store: pa.Table, root: Path) -> list[Picture]:
    """Draw proposals on about eight pictures.

    Args:
        store: The merged proposals; rows without any are passed over.
        root: Folder that the store's keys are below.

    Returns:
        The pictures, in the store's order; one that can no longer be read is left out and logged.
    """
    _, proposals = counts_per_picture(store)
    chosen = _middles(np.flatnonzero(proposals).tolist())
    rows = store.take(chosen)
    drawn = []
    for key, rects in zip(rows["key"].to_pylist(), rects_of(rows), strict=True):
        try:
            rgb = read_rgb(root / key)
        except UnreadablePictureError as error:
            log.warning("left %s out of the gallery: %s", key, error)
            continue
        shown = evenly([tuple(map(float, rect)) for rect in rects], BOXES)
        # The largest first, so that small boxes stay visible above them.
        shown.sort(key=lambda rect: -rect[2] * rect[3])
        marks = [
            Mark((left, top, left + width, top + height), colour)
            for (left, top, width, height), colour in zip(shown, COLOURS, strict=False)
        ]
        count = f"{len(shown)} of {len(rects)} proposals"
        drawn.append(draw_boxes(rgb, marks, _WIDTH, f"Picture {key} with {count} drawn as boxes", f"{key}: {count}"))
    return drawn


def _middles(rows: list[int]) -> list[int]:
    """The row in the middle of each of eight equal parts, so that neither end of the store is favoured."""
    if len(rows) <= PICTURES:
        return rows
    return [rows[int((part + 0.5) * len(rows) / PICTURES)] for part in range(PICTURES)]
