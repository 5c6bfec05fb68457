"""A few images of the store with their proposals; the same store gives the same gallery."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soco.data import ImageSource, UnreadableImageError, decode_rgb
from soco.data.stores.schema import RECT_COLUMNS, entries_of, rects_of
from soco.proposals.choice import evenly, middles
from soco.report.drawing.marks import COLOURS, Mark, PageImage, draw_marks

log = logging.getLogger(__name__)

IMAGES = 8
BOXES = len(COLOURS)
_WIDTH = 300


def proposal_gallery(store: pa.Table, source: ImageSource) -> list[PageImage]:
    """Draw proposals on about eight images, evenly spaced in the store.

    Args:
        store: The merged proposals; images without any are not drawn.
        source: The store's images.

    Returns:
        The images, in the store's order, empty if no image has a proposal. An image that can no
        longer be read is skipped and logged.
    """
    counts = pc.list_value_length(store[RECT_COLUMNS[0]]).to_numpy()
    chosen = middles(np.flatnonzero(counts).tolist(), IMAGES)
    rows = store.take(pa.array(chosen, pa.int64()))
    drawn = []
    for entry, rects in zip(entries_of(rows), rects_of(rows), strict=True):
        try:
            rgb = decode_rgb(source.read(entry), max_pixels=None)
        except UnreadableImageError as error:
            log.warning("skipped %r in the gallery: %s", entry.key, error)
            continue
        shown = evenly([tuple(map(float, rect)) for rect in rects], BOXES)
        shown.sort(key=lambda rect: -rect[2] * rect[3])  # small boxes on top
        marks = [
            Mark((left, top, left + width, top + height), colour)
            for (left, top, width, height), colour in zip(shown, COLOURS, strict=False)
        ]
        count = f"{len(shown)} of {len(rects)} proposals"
        alt = f"Image {entry.key} with {count} drawn as boxes"
        uri, (width, height) = draw_marks(rgb, marks, _WIDTH)
        drawn.append(PageImage(uri, alt, f"{entry.key}: {count}", width, height))
    return drawn
