"""Where images come from: one class per layout, one interface for all."""

from soco.config import ImagesConfig
from soco.data.sources.entry import Entry, ImageSource
from soco.data.sources.folder import FolderSource
from soco.data.sources.parquet import ParquetSource
from soco.data.sources.tar import TarSource, WebDatasetSource
from soco.data.sources.zip import ZipSource

__all__ = ["Entry", "ImageSource", "open_source"]


def open_source(settings: ImagesConfig) -> ImageSource:
    """The images that the configuration names; opens no file until it is listed or read."""
    match settings.layout:
        case "folder":
            return FolderSource(settings)
        case "zip":
            return ZipSource(settings)
        case "tar":
            return TarSource(settings)
        case "webdataset":
            return WebDatasetSource(settings)
        case "parquet":
            return ParquetSource(settings)
