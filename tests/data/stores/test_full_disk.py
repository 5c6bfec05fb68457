"""Every kind of file that a stage writes, on a disk that is too small for it."""

import contextlib
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy._core import _multiarray_umath
from PIL import Image
from small_disks import SIZE, fill, mounted

from soco.data.stores.archives import save_archive
from soco.data.stores.merged import STORE_SCHEMA, write_arrow
from soco.data.stores.parquet import write_table
from soco.errors import UserError
from soco.io import atomic_write, write_json
from soco.transfer.convert.formats import write_detectron2, write_mmdetection, write_safetensors

NOISE = np.random.default_rng(0).integers(0, 1 << 30, SIZE)


def whole(write):
    """Let a library write a file that appears when it is whole."""

    def written(path):
        with atomic_write(path) as temporary:
            write(temporary)

    return written


WRITERS = {
    "report.json": lambda path: write_json(path, NOISE.tolist()),
    "raw.parquet": lambda path: write_table(path, pa.table({"size": NOISE})),
    "store.arrow": lambda path: write_arrow(
        path,
        pa.record_batch(
            [pa.nulls(SIZE // 8, field.type) for field in STORE_SCHEMA], schema=STORE_SCHEMA
        ),
    ),
    "step-00000001.pt": lambda path: save_archive(path, {"weight": torch.from_numpy(NOISE)}),
    "weights.safetensors": whole(
        lambda path: write_safetensors(path, {"weight": torch.from_numpy(NOISE)})
    ),
    "detectron2_c4.pkl": whole(lambda path: write_detectron2(path, {"weight": NOISE})),
    "mmdetection.pth": whole(
        lambda path: write_mmdetection(path, {"weight": torch.from_numpy(NOISE)})
    ),
    "page.png": whole(
        lambda path: Image.fromarray(NOISE.astype(np.uint8).reshape(1024, -1)).save(path, "png")
    ),
    "copy.json": whole(lambda path: shutil.copyfile(_multiarray_umath.__file__, path)),
}


@pytest.fixture
def disk(tmp_path):
    """A disk of a MB."""
    with mounted(tmp_path / "disk", f"size={SIZE}") as folder:
        yield folder


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file_alone(disk, name):
    path = disk / "results" / name
    path.parent.mkdir()
    path.write_text("old")
    filler = fill(disk, 100_000)
    with pytest.raises(UserError) as caught:
        WRITERS[name](path)
    sentence = f"The disk is full: {path} cannot be written; make room there"
    assert str(caught.value).startswith(sentence), caught.value
    assert [left.name for left in path.parent.iterdir()] == [name]
    assert path.read_text() == "old"
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    WRITERS[name](path)
    assert path.stat().st_size > SIZE // 2
    assert [left.name for left in path.parent.iterdir()] == [name]


def test_a_disk_without_room_for_a_name_is_told_the_same_way(tmp_path):
    with mounted(tmp_path / "disk", "size=1m,nr_inodes=3") as disk:
        (disk / "one").touch()
        (disk / "two").touch()
        with pytest.raises(
            UserError, match=r"^The disk is full: \S+/disk/file\.json cannot be written"
        ):
            write_json(disk / "file.json", {})


def test_a_read_only_folder_is_one_sentence(disk):
    write_json(disk / "file.json", {"old": 1})
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(
        UserError,
        match=r"^\S+/file\.json cannot be written: its file system is read-only; mount it",
    ):
        write_json(disk / "file.json", {})
    assert "old" in (disk / "file.json").read_text()


def test_a_folder_that_vanishes_meanwhile_is_one_sentence(tmp_path):
    path = tmp_path / "results" / "file.json"
    refused = pytest.raises(
        UserError, match=rf"^{path} cannot be written: its folder is gone; mount its disk again"
    )
    with refused, atomic_write(path) as temporary:
        temporary.write_text("whole")
        shutil.rmtree(path.parent)
    assert not path.parent.exists()


def test_an_error_of_another_kind_passes_as_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "file") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    with contextlib.suppress(RuntimeError), atomic_write(tmp_path / "file"):
        raise RuntimeError("before a byte was written")
    assert not list(tmp_path.iterdir())
