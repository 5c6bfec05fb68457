import os

import pytest
from user_errors import refused

from soco.errors import UserError
from soco.transfer.probe.folder import labelled_splits


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.fixture
def splits(tmp_path):
    """Two valid splits with the classes `cat` and `dog`."""
    for split in ("train", "val"):
        make(tmp_path / split, "cat/one.jpg", "dog/one.PNG")
    return tmp_path / "train", tmp_path / "val"


def test_a_class_is_a_sub_folder_with_any_tree_below(splits, caplog):
    make(
        splits[0],
        "cat/b/two.jpeg",
        "cat/a/one.jpg",
        "cat/notes.txt",
        "cat/.hidden/x.jpg",
        ".cache/x.jpg",
        "top.jpg",
    )
    train, val = labelled_splits(*splits)
    assert train.classes == val.classes == ("cat", "dog")
    listed = [path.relative_to(splits[0]).as_posix() for path in train.paths]
    assert listed == ["cat/a/one.jpg", "cat/b/two.jpeg", "cat/one.jpg", "dog/one.PNG"]
    assert train.labels == (0, 0, 0, 1)
    assert "ignored 1 images" in caplog.text


def test_a_class_may_be_a_link_to_a_folder(splits, tmp_path):
    make(tmp_path / "elsewhere", "deep/one.jpg")
    for split in splits:
        (split / "emu").symlink_to(tmp_path / "elsewhere")
    train, _ = labelled_splits(*splits)
    assert (train.classes[-1], train.labels[-1]) == ("emu", 2)


def test_different_classes_are_refused(splits):
    make(splits[1], "emu/one.jpg")
    with refused("probe.classes_differ", count=1, first="emu"):
        labelled_splits(*splits)


def test_a_missing_folder_is_refused(splits, tmp_path):
    with refused("probe.folder_not_found", folder=tmp_path / "absent"):
        labelled_splits(tmp_path / "absent", splits[1])


def test_a_class_without_images_is_refused(splits):
    make(splits[0], "emu/notes.txt")
    with refused("probe.empty_class", folder=splits[0] / "emu"):
        labelled_splits(*splits)


@pytest.mark.parametrize(("names", "count"), [(["one.jpg"], 0), (["cat/one.jpg"], 1)])
def test_fewer_than_two_classes_are_refused(tmp_path, names, count):
    make(tmp_path / "train", *names)
    with refused("probe.too_few_classes", folder=tmp_path / "train", count=count):
        labelled_splits(tmp_path / "train", tmp_path / "train")


def test_a_link_to_a_folder_above_is_refused(splits):
    for name in ("one", "two"):
        (splits[0] / "cat" / name).symlink_to("..")
    with pytest.raises(UserError, match="cat/one"):
        labelled_splits(*splits)


def test_an_unreadable_folder_is_refused(splits, monkeypatch):
    make(splits[1], "dog/locked/one.jpg")
    scandir = os.scandir

    def refuse(path="."):
        if str(path).rstrip("/").endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"dog/locked.*Permission denied"):
        labelled_splits(*splits)


def test_pipes_are_counted_and_never_opened(splits, caplog):
    os.mkfifo(splits[0] / "cat" / "pipe.jpg")
    (splits[0] / "cat" / "nowhere.jpg").symlink_to("nothing")
    train, _ = labelled_splits(*splits)
    assert [path.name for path in train.paths] == ["nowhere.jpg", "one.jpg", "one.PNG"]
    assert "ignored 1 pipes, sockets or devices of" in caplog.text
