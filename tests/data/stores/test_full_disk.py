"""Every kind of file that a stage writes, on a disk that is too small."""

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
from user_errors import refused

from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import STORE_SCHEMA, write_arrow
from soco.data.stores.torch_files import save_archive
from soco.io import atomic_write, write_json
from soco.transfer.convert.formats import write_detectron2, write_mmdetection, write_safetensors

NOISE = np.random.default_rng(0).integers(0, 1 << 30, SIZE)


def atomic(write):
    """Let a library write a file atomically."""

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
    "weights.safetensors": atomic(
        lambda path: write_safetensors(path, {"weight": torch.from_numpy(NOISE)})
    ),
    "detectron2_c4.pkl": atomic(lambda path: write_detectron2(path, {"weight": NOISE})),
    "mmdetection.pth": atomic(
        lambda path: write_mmdetection(path, {"weight": torch.from_numpy(NOISE)})
    ),
    "page.png": atomic(
        lambda path: Image.fromarray(NOISE.astype(np.uint8).reshape(1024, -1)).save(path, "png")
    ),
    "copy.json": atomic(lambda path: shutil.copyfile(_multiarray_umath.__file__, path)),
}


@pytest.fixture
def disk(tmp_path):
    """A disk of 1 MB."""
    with mounted(tmp_path / "disk", f"size={SIZE}") as folder:
        yield folder


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_explained_and_keeps_the_old_file(disk, name):
    path = disk / "results" / name
    path.parent.mkdir()
    path.write_text("old")
    filler = fill(disk, 100_000)
    with refused("machine.refused", error="ENOSPC", place=path):
        WRITERS[name](path)
    assert [left.name for left in path.parent.iterdir()] == [name]
    assert path.read_text() == "old"
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    WRITERS[name](path)
    assert path.stat().st_size > SIZE // 2
    assert [left.name for left in path.parent.iterdir()] == [name]


def test_a_disk_without_inodes_is_explained_as_full(tmp_path):
    with mounted(tmp_path / "disk", "size=1m,nr_inodes=3") as disk:
        (disk / "one").touch()
        (disk / "two").touch()
        with refused("machine.refused", error="ENOSPC", place=disk / "file.json"):
            write_json(disk / "file.json", {})


def test_a_read_only_folder_is_explained(disk):
    write_json(disk / "file.json", {"old": 1})
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with refused("machine.refused", error="EROFS", place=disk / "file.json"):
        write_json(disk / "file.json", {})
    assert "old" in (disk / "file.json").read_text()


def test_a_folder_that_vanishes_during_a_write_is_explained(tmp_path):
    path = tmp_path / "results" / "file.json"
    with refused("machine.folder_gone", path=path), atomic_write(path) as temporary:
        temporary.write_text("whole")
        shutil.rmtree(path.parent)
    assert not path.parent.exists()


def test_other_errors_pass_unchanged(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "file") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    with contextlib.suppress(RuntimeError), atomic_write(tmp_path / "file"):
        raise RuntimeError("before a byte was written")
    assert not list(tmp_path.iterdir())
