"""Folder trees with special files, unreadable parts, or concurrent changes.

Nothing is left out silently.
"""

import os
import socket
import zlib
from pathlib import Path

import numpy as np
import pytest
from user_errors import refused

from soco.config import ImagesConfig
from soco.data import UnreadableImageError, open_source
from soco.data.contents import contents
from soco.data.shards import image_loads
from soco.data.sources import Entry


def source_of(root, layout="folder"):
    return open_source(ImagesConfig(path=str(root), layout=layout))


def keys(root, layout="folder"):
    return [entry.key for entry in source_of(root, layout).entries()]


@pytest.fixture
def tree(tmp_path, photographs, pack):
    root = tmp_path / "tree"
    pack.folder(
        root, {"a/one.jpg": photographs["a/one.jpg"], "b/one.jpg": photographs["b/one.jpg"]}
    )
    return root


@pytest.fixture
def lock(monkeypatch):
    """Make a folder unreadable, as one without permission is for all users but root."""
    scandir = os.scandir

    def close(folder):
        def refuse(path="."):
            if Path(os.fsdecode(path)) == folder:
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return close


@pytest.mark.parametrize("layout", ["folder", "webdataset", "parquet"])
def test_a_sub_folder_that_cannot_be_read_is_named(tmp_path, photographs, pack, lock, layout):
    settings = getattr(pack, layout)(tmp_path / "tree", photographs)
    (tmp_path / "tree" / "locked").mkdir()
    lock(tmp_path / "tree" / "locked")
    with refused("data.folder_unreadable", reason="Permission denied") as caught:
        keys(settings.path, layout)
    assert Path(caught.value.values["path"]) == tmp_path / "tree" / "locked"


@pytest.mark.parametrize("layout", ["folder", "folders", "webdataset", "parquet"])
def test_the_state_with_an_unreadable_folder_covers_the_rest(
    tmp_path, photographs, pack, lock, layout
):
    """Snakemake reads it before the first job, when an error would show a traceback."""
    settings = getattr(pack, layout.removesuffix("s"))(tmp_path / "tree", photographs)
    watch = "folders" if layout == "folders" else "images"
    source = open_source(settings.model_copy(update={"watch": watch}))
    (tmp_path / "tree" / "locked").mkdir()
    (tmp_path / "tree" / "gone.tar").symlink_to("nowhere")
    (tmp_path / "tree" / "gone.parquet").symlink_to("nowhere")
    lock(tmp_path / "tree" / "locked")
    before = source.state()
    assert before
    (tmp_path / "tree" / "more").mkdir(exist_ok=True)
    for name in ("one.jpg", "one.tar", "one.parquet"):
        (tmp_path / "tree" / "more" / name).write_bytes(b"x")
    assert source.state() not in ("", before)


@pytest.mark.parametrize("layout", ["folder", "webdataset", "parquet"])
def test_the_state_of_an_unreachable_source_is_empty(tmp_path, monkeypatch, layout):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    source = source_of(tmp_path, layout)
    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(os, "scandir", refuse)
    assert source.state() == ""


@pytest.mark.parametrize("layout", ["folder", "webdataset", "parquet"])
def test_lost_and_found_is_ignored(tmp_path, photographs, pack, lock, layout):
    settings = getattr(pack, layout)(tmp_path / "tree", photographs)
    before = keys(settings.path, layout)
    (tmp_path / "tree" / "lost+found").mkdir()
    lock(tmp_path / "tree" / "lost+found")
    assert keys(settings.path, layout) == before


def test_a_file_that_cannot_be_opened_is_named(tmp_path, photographs, pack, monkeypatch):
    for layout in ("zip", "tar"):
        settings = getattr(pack, layout)(tmp_path / layout, photographs)

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        with (
            monkeypatch.context() as patch,
            refused("data.source_unreadable", path=settings.path, reason="Permission denied"),
        ):
            patch.setattr(Path, "open", refuse)
            keys(settings.path, layout)


def test_loops_of_links_end_and_are_counted(tree, caplog):
    (tree / "a" / "up").symlink_to("..")
    (tree / "b" / "up").symlink_to("..")
    (tree / "self.jpg").symlink_to("self.jpg")
    assert keys(tree) == ["a/one.jpg", "b/one.jpg", "self.jpg"]
    assert "ignored 2 links to folders, first 'a/up'" in caplog.text
    source = source_of(tree)
    with pytest.raises(UnreadableImageError, match="symbolic links"):
        source.read(Entry("self.jpg", "", 0, 0))


def test_special_files_are_counted_and_never_opened(tree, caplog):
    os.mkfifo(tree / "pipe.jpg")
    (tree / "device.jpg").symlink_to("/dev/zero")
    (tree / "folder.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tree)  # a socket's path is short
        server.bind("socket.jpg")
        os.chdir(here)
    assert keys(tree) == ["a/one.jpg", "b/one.jpg"]
    assert (
        "ignored 3 pipes, sockets or devices named like images, first 'device.jpg'" in caplog.text
    )


def test_links_out_of_the_folder_are_followed_and_broken_links_skipped(tree, tmp_path, photographs):
    (tmp_path / "outside.jpg").write_bytes(photographs["a/one.jpg"])
    (tree / "out.jpg").symlink_to(tmp_path / "outside.jpg")
    (tree / "nowhere.jpg").symlink_to("nothing")
    source = source_of(tree)
    entries = {entry.key: entry for entry in source.entries()}
    assert source.read(entries["out.jpg"]) == photographs["a/one.jpg"]
    with pytest.raises(UnreadableImageError, match="missing"):
        source.read(entries["nowhere.jpg"])


@pytest.fixture
def deep(tree):
    """The tree with an image in 1,200 nested folders, removed afterwards since pytest cannot."""
    here = Path.cwd()
    os.chdir(tree)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep.jpg").write_bytes(b"x")
    yield tree
    Path("deep.jpg").unlink()
    for _ in range(1200):
        os.chdir("..")
        Path("d").rmdir()
    os.chdir(here)


def test_folders_of_any_depth_are_listed(deep):
    assert keys(deep)[-1] == "d/" * 1200 + "deep.jpg"


def test_files_that_vanish_during_the_listing_are_ignored(tree):
    for number in range(3):
        (tree / f"c{number}").mkdir()
        (tree / f"c{number}" / "one.jpg").write_bytes(b"x")
    listing = source_of(tree).entries()
    assert next(listing).key == "a/one.jpg"
    for number in range(2):
        (tree / f"c{number}" / "one.jpg").unlink()
        (tree / f"c{number}").rmdir()
    assert [entry.key for entry in listing] == ["b/one.jpg", "c2/one.jpg"]


def test_files_that_vanish_or_shrink_before_reading_are_skipped(tree):
    source = source_of(tree)
    listed = list(source.entries())
    (tree / "a" / "one.jpg").unlink()
    (tree / "b" / "one.jpg").write_bytes(b"")
    assert [(width, height) for width, height, _ in contents(source, listed, threads=1)] == [
        (0, 0),
        (0, 0),
    ]


def test_names_that_differ_in_case_or_have_the_maximum_length_are_images(tree):
    names = ["A.jpg", "a.JPG", "x" * 251 + ".jpg", "new\nline.jpg"]
    for name in names:
        (tree / name).write_bytes(b"x")
    assert set(names) <= set(keys(tree))


@pytest.mark.parametrize(("layout", "suffix"), [("webdataset", ".tar"), ("parquet", ".parquet")])
def test_a_container_that_is_a_broken_link_is_refused(tmp_path, photographs, pack, layout, suffix):
    settings = getattr(pack, layout)(tmp_path / "tree", photographs)
    (tmp_path / "tree" / f"gone{suffix}").symlink_to("nowhere")
    with refused("data.not_a_file", path=tmp_path / "tree" / f"gone{suffix}"):
        keys(settings.path, layout)


def test_a_size_that_does_not_fit_a_manifest_counts_as_unknown(tree):
    """A PNG of 4294967295 x 1, which the search later skips with its reason."""
    size = (2**32 - 1).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    chunks = ((b"IHDR", size), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    whole = [
        len(d).to_bytes(4, "big") + kind + d + zlib.crc32(kind + d).to_bytes(4, "big")
        for kind, d in chunks
    ]
    (tree / "wide.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(whole))
    source = source_of(tree)
    sizes = dict(
        zip(
            (entry.key for entry in source.entries()),
            contents(source, list(source.entries()), 1),
            strict=True,
        )
    )
    assert sizes["wide.png"][:2] == (0, 0)
    assert sizes["a/one.jpg"][:2] == (200, 150)


def test_a_forged_size_does_not_unbalance_the_shards():
    most = 2**31 - 1
    loads = image_loads(np.array([10, 30, most, 40_000]), np.array([10, 10, most, 1]))
    assert loads.tolist() == [100, 300, 200, 200]
