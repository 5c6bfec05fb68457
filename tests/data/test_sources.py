import logging
import multiprocessing
import os
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from user_errors import refused

from soco.config import ImagesConfig
from soco.data import UnreadableImageError, decode_rgb, open_source
from soco.errors import UserError


def keys(settings):
    return [entry.key for entry in open_source(settings).entries()]


def test_every_layout_yields_the_same_images(packed, photographs):
    source = open_source(packed)
    read = [source.read(entry) for entry in source.entries()]
    assert len(read) == len(photographs)
    assert set(read) == set(photographs.values())
    assert len({entry.key for entry in source.entries() if entry.key.endswith("one.jpg")}) == 2
    for data in read:
        assert decode_rgb(data).shape[0] == 150


def test_keys_in_an_archive_are_those_of_the_folder_tree(tmp_path, photographs, pack):
    expected = keys(pack.folder(tmp_path / "tree", photographs))
    assert expected == sorted(photographs)
    assert sorted(keys(pack.zip(tmp_path / "x.zip", photographs))) == expected
    assert sorted(keys(pack.tar(tmp_path / "x.tar", photographs))) == expected


def test_keys_in_webdataset_and_parquet_begin_with_the_file(tmp_path, photographs, pack):
    assert keys(pack.webdataset(tmp_path / "w", photographs))[2:4] == [
        "more/part-1/f/new\nline.jpg",
        "more/part-1/g.gif",
    ]
    assert keys(pack.parquet(tmp_path / "p", photographs))[3:5] == [
        "train-0/000003-été.webp",
        "train-1/000000-d.bmp",
    ]
    one = ImagesConfig(path=str(tmp_path / "w" / "part-0.tar"), layout="webdataset")
    assert keys(one) == [f"part-0/{key}" for key in list(photographs)[:4]]
    one = ImagesConfig(path=str(tmp_path / "p" / "train-1.parquet"), layout="parquet")
    assert keys(one)[0] == "train-1/000000-d.bmp"
    assert decode_rgb(open_source(one).read(next(open_source(one).entries()))).shape == (
        150,
        200,
        3,
    )


def test_a_column_of_bytes_alone_is_read(tmp_path, photographs):
    table = pa.table({"jpg": pa.array([*photographs.values(), None], pa.large_binary())})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    source = open_source(ImagesConfig(path=str(tmp_path), layout="parquet", column="jpg"))
    entries = list(source.entries())
    assert [entry.key for entry in entries] == [f"x/{row:06d}" for row in range(9)]
    assert [source.read(entry) for entry in entries[:8][::-1]] == [*photographs.values()][::-1]
    with pytest.raises(UnreadableImageError, match="no bytes"):
        source.read(entries[8])


def test_a_source_pickles_and_is_shared_by_threads_and_forks(packed):
    source = open_source(packed)
    entries = list(source.entries())
    expected = [source.read(entry) for entry in entries]
    assert [pickle.loads(pickle.dumps(source)).read(entry) for entry in entries] == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(source.read, entries * 20)) == expected * 20
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(source.read, entries) == expected


def test_the_state_changes_with_the_files_only(packed, tmp_path):
    before = open_source(packed).state()
    assert before == open_source(packed).state() != ""
    root = Path(packed.path)
    changed = (
        root if root.is_file() else next(path for path in sorted(root.rglob("*")) if path.is_file())
    )
    os.utime(changed, ns=(0, changed.stat().st_mtime_ns + 1))
    assert open_source(packed).state() != before
    root.rename(tmp_path / "gone")
    assert open_source(packed).state() == ""


def test_watch_sets_which_changes_of_a_folder_tree_are_seen(tmp_path, photographs, pack):
    settings = pack.folder(tmp_path / "tree", photographs)
    states = lambda: [  # noqa: E731
        open_source(settings.model_copy(update={"watch": watch})).state()
        for watch in ("images", "folders", "never")
    ]
    before = states()
    times = (tmp_path / "tree" / "a").stat().st_mtime_ns
    (tmp_path / "tree" / "a" / "one.jpg").write_bytes(b"overwritten in place")
    assert [a == b for a, b in zip(before, states(), strict=True)] == [False, True, True]
    (tmp_path / "tree" / "a" / "new.jpg").write_bytes(b"new")
    os.utime(tmp_path / "tree" / "a", ns=(0, times + 1))
    assert [a == b for a, b in zip(before, states(), strict=True)] == [False, False, True]


def test_a_folder_tree_ignores_hidden_and_other_files(folder_of_images):
    (folder_of_images / ".cache").mkdir()
    (folder_of_images / ".cache" / "x.jpg").write_bytes(b"")
    (folder_of_images / "folder.jpg").mkdir()
    (folder_of_images / "a.jpg").symlink_to("a/one.jpg")
    (folder_of_images / "z.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder_of_images / "pipe.jpg")
    listed = keys(ImagesConfig(path=str(folder_of_images)))
    assert listed == sorted(listed)
    assert [key for key in listed if "/" not in key] == [
        "a.jpg",
        "d.bmp",
        "e_empty.jpg",
        "f_cut.jpg",
        "z.jpg",
    ]
    source = open_source(ImagesConfig(path=str(folder_of_images)))
    with pytest.raises(UnreadableImageError, match="missing"):
        source.read(next(entry for entry in source.entries() if entry.key == "z.jpg"))


def test_a_name_that_is_not_utf8_is_ignored_with_a_warning(tmp_path, photographs, caplog, pack):
    settings = pack.folder(tmp_path / "tree", photographs)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/tree/\xff\xe9.jpg")).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert keys(settings) == sorted(photographs)
    assert (
        r"ignored 1 images with names that are not UTF-8, first '\udcff\udce9.jpg'" in caplog.text
    )
    assert open_source(settings).state()


def test_a_map_selects_and_orders_the_members_of_a_zip(tmp_path, photographs, pack):
    chosen = ["b/two two.png", "a/one.jpg", "c/été.webp"]
    (tmp_path / "map.txt").write_text(f"./{chosen[0]}\t5\n/{chosen[1]} 3\r\n\n{chosen[2]}\t0\n")
    assert keys(pack.zip(tmp_path / "x.zip", photographs, tmp_path / "map.txt")) == chosen
    (tmp_path / "map.txt").write_text("b/two two.png 5\nabsent.jpg\t1\ngone.jpg\t1\n")
    with refused("data.zip_map_mismatch", absent=2, wanted=3, first="absent.jpg"):
        keys(pack.zip(tmp_path / "x.zip", photographs, tmp_path / "map.txt"))


def test_a_zip64_and_its_prefix_are_read(tmp_path, photographs):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for key, data in photographs.items():
            with archive.open(key, "w", force_zip64=True) as member:
                member.write(data)
    (tmp_path / "y.zip").write_bytes(
        b"#! a self-extracting archive\n" + (tmp_path / "x.zip").read_bytes()
    )
    for name in ("x.zip", "y.zip"):
        source = open_source(ImagesConfig(path=str(tmp_path / name), layout="zip"))
        assert {entry.key: source.read(entry) for entry in source.entries()} == photographs


def test_long_and_dotted_names_in_a_tar(tmp_path, photographs, pack):
    name = "x" * 150 + "/" + "y" * 120 + ".jpg"
    data = photographs["a/one.jpg"]
    (tmp_path / "x.tar").write_bytes(
        pack.tar_bytes({f"./{name}": data, "./.hidden.jpg": data, "._b.jpg": data})
    )
    source = open_source(ImagesConfig(path=str(tmp_path / "x.tar"), layout="tar"))
    (entry,) = source.entries()
    assert (entry.key, source.read(entry)) == (name, data)


@pytest.mark.parametrize("layout", ["zip", "tar"])
def test_a_duplicate_key_is_refused(tmp_path, layout, pack):
    twice = {"./a/x.jpg": b"1", "a/x.jpg": b"2"}
    if layout == "tar":
        (tmp_path / "x").write_bytes(pack.tar_bytes(twice))
    else:
        pack.zip(tmp_path / "x", twice)
    with refused("data.duplicate_key", path=tmp_path / "x", key="a/x.jpg"):
        keys(ImagesConfig(path=str(tmp_path / "x"), layout=layout))


@pytest.mark.parametrize("layout", ["folder", "zip", "tar", "webdataset", "parquet"])
def test_a_missing_source_is_refused(tmp_path, layout):
    with refused("data.source_not_found", path=tmp_path / "none"):
        keys(ImagesConfig(path=str(tmp_path / "none"), layout=layout))


@pytest.mark.parametrize(
    ("layout", "wrong", "fitting"),
    [
        ("folder", "zip", "folder"),
        ("folder", "parquet", "folder"),
        ("zip", "folder", "zip"),
        ("tar", "folder", "tar"),
        ("webdataset", "folder", "webdataset"),
        ("webdataset", "tar", "webdataset"),
        ("parquet", "folder", "parquet"),
        ("parquet", "webdataset", "parquet"),
        ("zip", "tar", "zip"),
        ("tar", "zip", "tar"),
        ("zip", "parquet", "zip"),
    ],
)
def test_the_layout_that_fits_is_named(tmp_path, photographs, pack, layout, wrong, fitting):
    settings = getattr(pack, layout)(tmp_path / "packed", photographs).model_copy(
        update={"layout": wrong}
    )
    with pytest.raises(UserError) as caught:
        keys(settings)
    assert caught.value.values["remedy"] == f"set images.layout to {fitting}"


def broken(tmp_path, name, pack):
    data = {"a.jpg": b"x" * 3000, "b.jpg": b"y" * 3000}
    if name == "cut.tar":
        return pack.tar_bytes(data)[:6000]
    if name == "garbled.tar":
        return pack.tar_bytes(data)[:4000] + b"no header" * 1000
    if name == "inner.tar":
        return pack.tar_bytes({"a.jpg": b"x", "n01.tar.gz": b"\x1f\x8b"})
    if name == "cut.zip":
        pack.zip(tmp_path / name, data)
        return (tmp_path / name).read_bytes()[:-30]
    if name == "bzip2.zip":
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("a.jpg", data["a.jpg"])
        return (tmp_path / name).read_bytes()
    if name == "locked.zip":
        pack.zip(tmp_path / name, {"a.jpg": b"x"})
        packed = bytearray((tmp_path / name).read_bytes())
        packed[packed.index(b"PK\1\2") + 8] |= 1
        return packed
    return {"gzip.tar": b"\x1f\x8b\x08", "cut.parquet": b"PAR1 and no more"}[name]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cut.tar", "data.invalid_file"),
        ("garbled.tar", "data.invalid_file"),
        ("inner.tar", "data.compressed_inner_tar"),
        ("gzip.tar", "data.compressed_tar"),
        ("cut.zip", "data.invalid_file"),
        ("bzip2.zip", "data.zip_member_unsupported"),
        ("locked.zip", "data.zip_member_unsupported"),
        ("cut.parquet", "data.invalid_file"),
    ],
)
def test_a_broken_source_is_refused(tmp_path, name, code, pack):
    (tmp_path / name).write_bytes(broken(tmp_path, name, pack))
    with refused(code, path=tmp_path / name):
        keys(ImagesConfig(path=str(tmp_path / name), layout=name.rpartition(".")[2]))


def test_a_source_without_images_is_refused(tmp_path, pack):
    pack.folder(tmp_path / "tree", {"notes.txt": b"words"})
    with refused("data.no_images", path=tmp_path / "tree"):
        keys(ImagesConfig(path=str(tmp_path / "tree")))


def test_a_missing_column_is_refused_with_the_usable_ones(tmp_path, photographs, pack):
    settings = pack.parquet(tmp_path / "p", photographs).model_copy(update={"column": "img"})
    with refused("data.no_image_column", column="img", usable="image"):
        keys(settings)


def test_an_image_that_is_gone_is_unreadable(packed):
    source = open_source(packed)
    *_, last = source.entries()
    if packed.layout == "folder":
        (Path(packed.path) / last.key).unlink()
    else:
        path = Path(packed.path) / last.container
        path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(UnreadableImageError):
        source.read(last)


def test_names_in_a_zip_of_unknown_encoding(tmp_path, photographs, pack):
    settings = pack.zip(tmp_path / "x.zip", photographs)
    packed = bytearray((tmp_path / "x.zip").read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = (
            packed.index("c/été.webp".encode())
            if signature == b"PK\3\4"
            else packed.rindex("c/été.webp".encode())
        )
        packed[packed.rindex(signature, 0, at) + flags + 1] &= ~8
    (tmp_path / "x.zip").write_bytes(packed)
    assert "c/été.webp" in keys(settings)
    (tmp_path / "x.zip").write_bytes(packed.replace("é".encode(), b"e\xff"))
    assert len(keys(settings)) == len(photographs)


def test_a_name_in_a_tar_that_is_not_utf8_is_ignored(tmp_path, photographs, pack, caplog):
    settings = pack.tar(tmp_path / "x.tar", photographs | {"\udce9.jpg": b"x"})
    assert set(keys(settings)) == set(photographs)
    assert "not UTF-8" in caplog.text


def test_a_map_is_for_zips_only():
    with pytest.raises(ValueError, match="names is only for the layout zip"):
        ImagesConfig(path="x", names="map.txt")
