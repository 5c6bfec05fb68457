"""Where pictures come from: one file a layout, one interface for all."""

from soco.pictures.sources.entry import Entry, PictureSource

__all__ = ["Entry", "PictureSource"]
