import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from soco.errors import UserError
from soco.pictures import UnreadablePictureError, find_pictures, read_rgb, write_shards


def test_pictures_are_found_below_sub_folders_and_sorted(folder_of_pictures):
    keys = [key for key, _ in find_pictures(folder_of_pictures)]
    assert keys == ["a/one.jpg", "b/one.jpg", "b/two two.png", "c/été.webp", "d.bmp", "e_empty.jpg", "f_cut.jpg"]


def test_shards_hold_every_picture_once(folder_of_pictures, tmp_path):
    outputs = [str(tmp_path / f"{n}.parquet") for n in range(3)]
    assert write_shards(folder_of_pictures, outputs) == 7
    shards = [pq.read_table(path)["key"].to_pylist() for path in outputs]
    assert [key for shard in shards for key in shard] == [key for key, _ in find_pictures(folder_of_pictures)]
    assert {len(shard) for shard in shards} == {2, 3}


def test_more_shards_than_pictures_leaves_some_empty(folder_of_pictures, tmp_path):
    outputs = [str(tmp_path / f"{n}.parquet") for n in range(9)]
    write_shards(folder_of_pictures, outputs)
    assert sum(pq.read_table(path).num_rows for path in outputs) == 7


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()])
def test_a_folder_without_pictures_is_refused(tmp_path, make):
    make(tmp_path / "none")
    with pytest.raises(UserError, match=r"none.*pictures\.path"):
        find_pictures(tmp_path / "none")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_is_read_as_rgb(tmp_path, photograph, mode):
    path = tmp_path / "picture.tiff"
    Image.fromarray(photograph("coffee_half")).convert(mode).save(path)
    rgb = read_rgb(path)
    assert rgb.shape == (200, 300, 3)
    assert rgb.dtype == np.uint8


def test_exif_rotation_is_undone(tmp_path, photograph):
    upright = photograph("coffee_half")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_rgb(tmp_path / "turned.png"), upright)


@pytest.mark.parametrize(
    ("name", "reason"), [("e_empty.jpg", "format"), ("f_cut.jpg", "truncated"), ("absent.jpg", "missing")]
)
def test_an_unreadable_picture_gives_its_reason(folder_of_pictures, name, reason):
    with pytest.raises(UnreadablePictureError, match=reason):
        read_rgb(folder_of_pictures / name)
