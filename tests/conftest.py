import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from small_settings import small_recipe
from workflow_runs import BESIDE, Beside, Snakemake, Workflow

from soco.config import ImagesConfig
from soco.data import Entry, open_source
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns

REPOSITORY = Path(__file__).parent.parent

# Before torch is loaded, and for all that tests start: a run is made beside the tests, and their
# tensors are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def golden_folder():
    """The golden numbers: $SOCO_GOLDEN if set, or the repository's."""
    return Path(os.environ.get("SOCO_GOLDEN", REPOSITORY / "tests" / "golden"))


@pytest.fixture(scope="session")
def golden(golden_folder):
    """Read a file of golden numbers."""
    return lambda name: json.loads((golden_folder / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def photograph():
    """Read a photograph of the repository as (H, W, 3) uint8."""
    return lambda name: np.array(
        Image.open(REPOSITORY / f"tests/golden/images/{name}.png").convert("RGB")
    )


@pytest.fixture
def folder_of_images(tmp_path, photograph):
    """Five readable images in two folders, some with one base name, and two unreadable ones."""
    return write_images(tmp_path / "images", photograph)


@pytest.fixture(scope="session")
def readable_images(photograph):
    """Write the readable images into a folder."""

    def write(root):
        write_images(root, photograph)
        for key in ("e_empty.jpg", "f_cut.jpg"):
            (root / key).unlink()

    return write


def write_images(root, photograph):
    coffee = Image.fromarray(photograph("coffee_half"))
    for number, key in enumerate(
        ["a/one.jpg", "b/one.jpg", "b/two two.png", "c/été.webp", "d.bmp"]
    ):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        coffee.crop((number * 5, 0, 200 + number * 5, 150)).save(path)
    (root / "e_empty.jpg").write_bytes(b"")
    (root / "f_cut.jpg").write_bytes((root / "a/one.jpg").read_bytes()[:2000])
    (root / ".hidden.jpg").write_bytes(b"not to be listed")
    (root / "notes.txt").write_text("not an image")
    return root


@pytest.fixture
def tiny_recipe():
    """A recipe whose steps take milliseconds."""
    return small_recipe()


@pytest.fixture
def small_store(folder_of_images, tmp_path):
    """The Arrow store of the five readable images with a few boxes each, and their source."""
    keys = ["a/one.jpg", "b/one.jpg", "b/two two.png", "c/été.webp", "d.bmp"]
    rng = np.random.default_rng(0)
    rects = [
        np.column_stack([rng.integers(0, 80, (n, 2)), rng.integers(33, 69, (n, 2))])
        for n in (9, 3, 2, 1, 0)
    ]
    columns = {
        **image_columns([Entry(key, "", 0, 1) for key in keys], [(200, 150)] * 5),
        "regions": [20] * 5,
        "strategy": ["ratio3"] * 4 + [""],
        **rect_columns(rects),
    }
    write_table(tmp_path / "small.parquet", pa.table(columns, schema=PROPOSAL_SCHEMA))
    write_arrow(tmp_path / "small.arrow", merge_files([tmp_path / "small.parquet"]))
    return tmp_path / "small.arrow", open_source(ImagesConfig(path=str(folder_of_images)))


@pytest.fixture(scope="session")
def snakemake():
    """Snakemake, loaded once for all calls."""
    loaded = Snakemake()
    yield loaded
    loaded.close()


def place_of(item):
    """The last background run that a test needs, counted from 1; 0: none."""
    return max(
        (place for place, name in enumerate(BESIDE, 1) if name in item.fixturenames), default=0
    )


def pytest_collection_modifyitems(items):
    """Tests that need a background run come last."""
    items.sort(key=place_of)


@pytest.fixture(scope="session", autouse=True)
def runs(request, tmp_path_factory, readable_images):
    """The background runs that the collected tests need, by name; all start at once."""
    background = Beside()
    wanted = {name for item in request.session.items for name in item.fixturenames}
    for name in BESIDE:
        if name in wanted:
            workflow = Workflow(tmp_path_factory.mktemp(name))
            if name == "finished_on_own":
                readable_images(workflow.folder / "images")
                workflow.overlay["images"] |= {"path": "images"}
            background.make(name, workflow)
    yield background.made
    background.close()


@pytest.fixture(scope="session")
def finished(runs, snakemake):
    """A finished run of `snakemake all`, with its output."""
    workflow = runs["finished"].result()
    workflow.snakemake = snakemake
    return workflow


@pytest.fixture(scope="session")
def finished_on_own(runs):
    """A finished pretraining on a folder of images inside the run's folder; weights converted."""
    return runs["finished_on_own"].result()


@pytest.fixture(scope="session")
def run_workflow(snakemake):
    """The workflow in a given folder."""
    return lambda folder: Workflow(folder, snakemake)


@pytest.fixture
def workflow(run_workflow, tmp_path):
    return run_workflow(tmp_path)


@pytest.fixture
def checked_archives(monkeypatch):
    """Names of torch archives whose checksums were verified, one entry each time."""
    names, testzip = [], zipfile.ZipFile.testzip

    def noted(self):
        names.append(Path(self.filename).name)
        return testzip(self)

    monkeypatch.setattr(zipfile.ZipFile, "testzip", noted)
    return names
