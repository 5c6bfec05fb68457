import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, UnidentifiedImageError

from soco.config import PicturesConfig
from soco.pictures import SHARD_SCHEMA, open_source
from soco.stores.schema import picture_columns


@pytest.fixture
def pictures(folder_of_pictures):
    return PicturesConfig(path=str(folder_of_pictures), max_skipped=0.5)


def size_of(path):
    try:
        with Image.open(path) as picture:
            return picture.size
    except UnidentifiedImageError:
        return 0, 0


@pytest.fixture
def write_shard(folder_of_pictures, pictures):
    """Write a shard of the pictures from one number to another."""

    def write(path, first=0, last=None):
        entries = list(open_source(pictures).entries())[first:last]
        columns = picture_columns(entries, [size_of(folder_of_pictures / entry.key) for entry in entries])
        pq.write_table(pa.table({**columns, "sha256": [bytes(32)] * len(entries)}, schema=SHARD_SCHEMA), path)
        return path

    return write
