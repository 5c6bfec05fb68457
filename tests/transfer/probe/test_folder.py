import os

import pytest

from soco.errors import UserError
from soco.transfer.probe.folder import labelled_halves


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.fixture
def halves(tmp_path):
    """Two sound halves of the classes `cat` and `dog`."""
    for half in ("train", "val"):
        make(tmp_path / half, "cat/one.jpg", "dog/one.PNG")
    return tmp_path / "train", tmp_path / "val"


def test_a_class_is_a_sub_folder_and_may_hold_a_tree(halves, caplog):
    make(
        halves[0],
        "cat/b/two.jpeg",
        "cat/a/one.jpg",
        "cat/notes.txt",
        "cat/.hidden/x.jpg",
        ".cache/x.jpg",
        "top.jpg",
    )
    train, val = labelled_halves(*halves)
    assert train.classes == val.classes == ("cat", "dog")
    told = [path.relative_to(halves[0]).as_posix() for path in train.paths]
    assert told == ["cat/a/one.jpg", "cat/b/two.jpeg", "cat/one.jpg", "dog/one.PNG"]
    assert train.labels == (0, 0, 0, 1)
    assert "passed over 1 images" in caplog.text


def test_a_class_may_be_a_link_to_a_folder(halves, tmp_path):
    make(tmp_path / "elsewhere", "deep/one.jpg")
    for half in halves:
        (half / "emu").symlink_to(tmp_path / "elsewhere")
    train, _ = labelled_halves(*halves)
    assert (train.classes[-1], train.labels[-1]) == ("emu", 2)


def test_classes_that_differ_are_told_by_name(halves):
    make(halves[1], "emu/one.jpg")
    with pytest.raises(UserError, match=r"not the same classes: 1 are in one alone, first 'emu'"):
        labelled_halves(*halves)


def test_a_folder_that_is_absent_is_named(halves, tmp_path):
    with pytest.raises(
        UserError, match=r"There is no folder .*absent; give one whose sub-folders are the classes"
    ):
        labelled_halves(tmp_path / "absent", halves[1])


def test_a_class_without_images_is_named(halves):
    make(halves[0], "emu/notes.txt")
    with pytest.raises(UserError, match=r"train/emu holds no image"):
        labelled_halves(*halves)


@pytest.mark.parametrize(("names", "count"), [(["one.jpg"], 0), (["cat/one.jpg"], 1)])
def test_fewer_than_two_classes_are_refused(tmp_path, names, count):
    make(tmp_path / "train", *names)
    with pytest.raises(UserError, match=rf"train has {count} sub-folders .* needs two"):
        labelled_halves(tmp_path / "train", tmp_path / "train")


def test_a_link_that_leads_back_to_a_folder_above_is_refused(halves):
    for name in ("one", "two"):
        (halves[0] / "cat" / name).symlink_to("..")
    with pytest.raises(
        UserError, match=r"The link .*cat/one leads back to a folder above it; remove it\."
    ):
        labelled_halves(*halves)


def test_a_folder_that_cannot_be_read_is_named(halves, monkeypatch):
    make(halves[1], "dog/locked/one.jpg")
    scandir = os.scandir

    def refuse(path="."):
        if str(path).rstrip("/").endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        UserError, match=r"The folder .*dog/locked/? cannot be read \(Permission denied\); make it"
    ):
        labelled_halves(*halves)


def test_pipes_are_counted_and_never_opened(halves, caplog):
    os.mkfifo(halves[0] / "cat" / "pipe.jpg")
    (halves[0] / "cat" / "nowhere.jpg").symlink_to("nothing")
    train, _ = labelled_halves(*halves)
    assert [path.name for path in train.paths] == ["nowhere.jpg", "one.jpg", "one.PNG"]
    assert "passed over 1 pipes, sockets or devices of" in caplog.text
