import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, UnidentifiedImageError

from soco.config import ImagesConfig
from soco.data import SHARD_SCHEMA, open_source
from soco.data.stores.schema import image_columns


@pytest.fixture
def images(folder_of_images):
    return ImagesConfig(path=str(folder_of_images), max_skipped=0.5)


def size_of(path):
    try:
        with Image.open(path) as image:
            return image.size
    except UnidentifiedImageError:
        return 0, 0


@pytest.fixture
def write_shard(folder_of_images, images):
    """Write a shard of the images from one number to another."""

    def write(path, first=0, last=None):
        entries = list(open_source(images).entries())[first:last]
        columns = image_columns(
            entries, [size_of(folder_of_images / entry.key) for entry in entries]
        )
        pq.write_table(
            pa.table({**columns, "sha256": [bytes(32)] * len(entries)}, schema=SHARD_SCHEMA), path
        )
        return path

    return write
