"""Where pictures come from: one file a layout, one interface for all."""

from soco.config import PicturesConfig
from soco.pictures.sources.entry import Entry, PictureSource
from soco.pictures.sources.folder import FolderSource
from soco.pictures.sources.parquet import ParquetSource
from soco.pictures.sources.tar import TarSource
from soco.pictures.sources.webdataset import WebDatasetSource
from soco.pictures.sources.zip import ZipSource

__all__ = ["Entry", "PictureSource", "open_source"]


def open_source(settings: PicturesConfig) -> PictureSource:
    """The pictures that the configuration names; touches no file until it is listed or read."""
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
