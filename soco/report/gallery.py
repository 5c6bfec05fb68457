"""A few images with their proposals, chosen evenly from the store.

The same store gives the same gallery.
"""

import logging

import numpy as np
import pyarrow as pa

from soco.data import ImageSource, UnreadableImageError, decode_rgb
from soco.data.stores.schema import entries_of, rects_of
from soco.proposals.choice import evenly, middles
from soco.report.drawing.marks import COLOURS, Mark, PageImage, draw_marks
from soco.report.spread import counts_per_image

log = logging.getLogger(__name__)

IMAGES = 8
BOXES = len(COLOURS)
_WIDTH = 300


def proposal_gallery(store: pa.Table, source: ImageSource) -> list[PageImage]:
    """Draw proposals on about eight images.

    Args:
        store: The merged proposals; rows without any are passed over.
        source: Where the store's images lie.

    Returns:
        The images, in the store's order; one that can no longer be read is left out and logged.
        Empty where no image has a proposal.
    """
    _, proposals = counts_per_image(store)
    chosen = middles(np.flatnonzero(proposals).tolist(), IMAGES)
    rows = store.take(pa.array(chosen, pa.int64()))
    drawn = []
    for entry, rects in zip(entries_of(rows), rects_of(rows), strict=True):
        try:
            rgb = decode_rgb(source.read(entry), max_pixels=None)
        except UnreadableImageError as error:
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
        told = f"Image {entry.key} with {count} drawn as boxes"
        uri, (width, height) = draw_marks(rgb, marks, _WIDTH)
        drawn.append(PageImage(uri, told, f"{entry.key}: {count}", width, height))
    return drawn
