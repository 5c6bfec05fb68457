"""A few pictures with their proposals, chosen evenly from the store: the same store gives the same gallery."""

import logging

import numpy as np
import pyarrow as pa

from soco.choice import evenly, middles
from soco.drawing.marks import COLOURS, Mark, Picture, draw_marks
from soco.pictures import PictureSource, UnreadablePictureError, decode_rgb
from soco.report.spread import counts_per_picture
from soco.stores.schema import entries_of, rects_of

log = logging.getLogger(__name__)

PICTURES = 8
BOXES = len(COLOURS)
_WIDTH = 300


def proposal_gallery(store: pa.Table, source: PictureSource) -> list[Picture]:
    """Draw proposals on about eight pictures.

    Args:
        store: The merged proposals; rows without any are passed over.
        source: Where the store's pictures lie.

    Returns:
        The pictures, in the store's order; one that can no longer be read is left out and logged. Empty where
        no picture has a proposal.
    """
    _, proposals = counts_per_picture(store)
    chosen = middles(np.flatnonzero(proposals).tolist(), PICTURES)
    rows = store.take(pa.array(chosen, pa.int64()))
    drawn = []
    for entry, rects in zip(entries_of(rows), rects_of(rows), strict=True):
        try:
            rgb = decode_rgb(source.read(entry), max_pixels=None)
        except UnreadablePictureError as error:
            log.warning("left %r out of the gallery: %s", entry.key, error)
            continue
        shown = evenly([tuple(map(float, rect)) for rect in rects], BOXES)
        # The largest first, so that small boxes stay visible above them.
        shown.sort(key=lambda rect: -rect[2] * rect[3])
        marks = [
            Mark((left, top, left + width, top + height), colour)
            for (left, top, width, height), colour in zip(shown, COLOURS, strict=False)
        ]
        count = f"{len(shown)} of {len(rects)} proposals"
        told = f"Picture {entry.key} with {count} drawn as boxes"
        uri, (width, height) = draw_marks(rgb, marks, _WIDTH)
        drawn.append(Picture(uri, told, f"{entry.key}: {count}", width, height))
    return drawn
