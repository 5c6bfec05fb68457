"""What the tests on a GPU share; `SOCO_TEST_DEVICE=cpu` tries them on the CPU."""

import os

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from small_settings import DETECTOR, small_recipe

from soco.config import ImagesConfig
from soco.data import Entry
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns
from soco.pretrain import PretrainJob
from soco.pretrain.precision import set_tf32

DEVICE = os.environ.get("SOCO_TEST_DEVICE", "cuda")
if DEVICE == "cpu":
    # Training takes a GPU where it sees one.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

IMAGES = 64
SIDE = 96
MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def device():
    """The device under test; without a GPU, the tests are skipped."""
    if DEVICE != "cpu" and not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here; SOCO_TEST_DEVICE=cpu tries these tests on the CPU")
    return torch.device(DEVICE)


@pytest.fixture
def tell(request):
    """Have a sentence with a measured figure printed at the end."""
    return request.config.stash.setdefault(MEASURED, []).append


def pytest_terminal_summary(terminalreporter, config):
    for sentence in config.stash.get(MEASURED, []):
        terminalreporter.write_line(sentence)


@pytest.fixture
def exact_products():
    """float32 products without TF32, as the golden numbers were computed; also at the end."""
    set_tf32(False)
    yield
    set_tf32(False)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder with images of coloured blocks, and the store of three boxes in each."""
    folder = tmp_path_factory.mktemp("gpu")
    rng = np.random.default_rng(0)
    names = [f"{number:03d}.png" for number in range(IMAGES)]
    (folder / "images").mkdir()
    for name in names:
        # Coarse blocks of colour: something that differs between images and survives a resize.
        blocks = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        pixels = blocks.repeat(SIDE // 6, axis=0).repeat(SIDE // 6, axis=1)
        Image.fromarray(pixels).save(folder / "images" / name)
    rects = [
        np.column_stack([rng.integers(0, 40, (3, 2)), rng.integers(33, 56, (3, 2))]) for _ in names
    ]
    columns = {
        **image_columns([Entry(name, "", 0, 1) for name in names], [(SIDE, SIDE)] * IMAGES),
        "regions": [20] * IMAGES,
        "strategy": ["ratio3"] * IMAGES,
        **rect_columns(rects),
    }
    write_table(folder / "store.parquet", pa.table(columns, schema=PROPOSAL_SCHEMA))
    write_arrow(folder / "store.arrow", merge_files([folder / "store.parquet"]))
    return folder


@pytest.fixture
def recipe():
    """A recipe of 40 small steps in float32."""
    return small_recipe(projector_hidden=32, projector_out=16, epochs=5, batch_size=8, workers=2)


@pytest.fixture
def job_of(images, tmp_path):
    """A pretraining on the images, its files in a folder of a name."""

    def make(name, recipe):
        folder = tmp_path / name
        return PretrainJob(
            run=name,
            settings=recipe,
            detector=DETECTOR,
            store=images / "store.arrow",
            images=ImagesConfig(path=str(images / "images")),
            folder=folder / "checkpoints",
            weights=folder / "weights.safetensors",
            log=folder / "log.jsonl",
            metrics=folder / "metrics.json",
            seed=1,
        )

    return make
