import os
import tracemalloc

import pytest

from soco.data.checks import file_names


@pytest.fixture
def folder(detection_set):
    return detection_set.folder / "train"


@pytest.fixture
def rename(train, folder):
    """Give every image of the training split another name in the JSON, and its file another."""

    def renamed(listed, stored="{}"):
        for image in train["images"]:
            name = image["file_name"]
            image["file_name"] = listed.format(name, stem=name[:-4])
            path = folder / stored.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / name).rename(path)

    return renamed


@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        (r"a\{}", "a/{}"),
        ("\u00e9{}", "e\u0301{}"),
        ("e\u0301{}", "\u00e9{}"),
        ("a\\e\u0301{}", "a/\u00e9{}"),
        (r".\{}", "{}"),
    ],
)
def test_a_name_that_differs_in_backslashes_or_unicode_form_alone_is_repaired(
    detection_set, findings, rename, folder, listed, stored
):
    rename(listed, stored)
    assert findings() == [("train", "image.renamed", 12)]
    written = detection_set.write()[0]
    assert len(written["annotations"]) == 12
    assert all((folder / image["file_name"]).is_file() for image in written["images"])


@pytest.mark.parametrize(
    ("listed", "stored", "file", "name", "remedy"),
    [
        (r"images\{}", "{}", "train1.jpg", r"images\train1.jpg", r"remove `images\`"),
        ("images/{}", "{}", "train1.jpg", "images/train1.jpg", "remove `images/`"),
        ("/home/me/x/{}", "{}", "train1.jpg", "/home/me/x/train1.jpg", "remove `/home/me/x/`"),
        (r"C:\x\{}", "{}", "train1.jpg", r"C:\x\train1.jpg", r"remove `C:\x\`"),
        ("../other/{}", "{}", "train1.jpg", "../other/train1.jpg", "remove `../other/`"),
        ("{}", "a/b/{}", "a/b/train1.jpg", "train1.jpg", "set `images` to FOLDER/a/b, or"),
        ("x/{}", "a/{}", "a/train1.jpg", "x/train1.jpg", "correct the folder"),
        ("a%20b {}", "a b {}", "a b train1.jpg", "a%20b train1.jpg", "decode `file_name`"),
        ("A{}", "a{}", "atrain1.jpg", "Atrain1.jpg", "correct upper and lower case"),
        ("{stem}.png", "{}", "train1.jpg", "train1.png", "correct the extension"),
        ("{stem}.JPG", "{}", "train1.jpg", "train1.JPG", "correct upper and lower case"),
        ("x/{stem}.png", "a/{}", "a/train1.jpg", "x/train1.png", "correct `file_name`"),
    ],
)
def test_the_file_that_a_name_may_mean_is_named(
    detection_set, rename, folder, listed, stored, file, name, remedy
):
    rename(listed, stored)
    missing, too_many = detection_set.check().findings
    assert missing.code in ("image.missing", "image.outside")
    hint = f"{folder} has {file} for {name} (the same for 12 of them); "
    assert hint + remedy.replace("FOLDER", str(folder)) in missing.sentence
    assert (too_many.code, too_many.count) == ("image.too_many_dropped", 12)


def test_a_name_that_means_no_file_gets_no_hint(rename, sentence):
    rename("{}", "A{}")
    assert sentence("image.missing").endswith("...); dropped.")


@pytest.fixture
def linked(detection_set, folder, rename):
    """Move the images to another folder, to which `train2017` is a link, and rename them."""

    def link(listed):
        rename(listed)
        folder.rename(detection_set.folder / "elsewhere")
        folder.mkdir()
        (folder / "train2017").symlink_to(detection_set.folder / "elsewhere")

    return link


def test_names_are_repaired_in_a_folder_that_is_a_link(detection_set, findings, linked):
    linked(r"train2017\{}")
    assert findings() == [("train", "image.renamed", 12)]
    assert detection_set.write()[0]["images"][0]["file_name"] == "train2017/train1.jpg"


def test_the_search_follows_links_and_ends_at_loops(sentence, linked, folder):
    linked("{stem}.png")
    for loop in ("a", "train2017/up"):
        (folder / loop).symlink_to(folder)
    (folder / "z").symlink_to(folder / "train2017")
    (folder / "self").symlink_to("self")
    hint = f"{folder} has train2017/train1.jpg for train1.png (the same for 12 of them);"
    assert hint in sentence("image.missing")


def test_the_search_for_one_name_takes_little_memory(findings, folder):
    (folder / "train3.jpg").unlink()
    for number in range(5000):
        (folder / f"{number:012d}.jpg").touch()
    tracemalloc.start()
    assert findings() == [("train", "image.missing", 1)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000  # an index for each rule takes 1,300 bytes a file


def test_among_too_many_files_no_file_is_named_for_another(sentence, rename, monkeypatch):
    rename("{stem}.png")
    monkeypatch.setattr(file_names, "_MOST_FILES", 11)
    assert sentence("image.missing").endswith("...); dropped.")


def test_among_too_many_files_names_are_repaired(findings, rename, monkeypatch):
    rename(r"a\{}", "a/{}")
    monkeypatch.setattr(file_names, "_MOST_FILES", 1)
    assert findings() == [("train", "image.renamed", 12)]


def test_a_name_whose_file_is_there_in_both_forms_of_unicode_is_not_repaired(
    train, findings, folder
):
    for name in ("\u00e9.jpg", "e\u0301.jpg"):
        (folder / name).write_bytes((folder / "train3.jpg").read_bytes())
    train["images"][2]["file_name"] = ".\\\u00e9.jpg"
    assert findings() == [("train", "image.missing", 1)]


def test_a_name_that_may_mean_two_files_gets_no_hint(sentence, folder):
    (folder / "train3.jpg").rename(folder / "Train3.jpg")
    (folder / "TRAIN3.jpg").write_bytes(b"another")
    assert sentence("image.missing").endswith("1 (train3.jpg); dropped.")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "../../../../../../dev/zero", "a/../../val/x"]
)
def test_a_name_that_leads_out_of_the_folder_is_not_opened(train, findings, sentence, name):
    train["images"][2]["file_name"] = name
    assert findings() == [("train", "image.outside", 1)]
    assert f"1 ({name}); dropped: set `images` to a folder above" in sentence("image.outside")


def test_a_link_in_the_folder_may_lead_out_of_it(detection_set, findings, folder):
    (folder / "train3.jpg").rename(detection_set.folder / "elsewhere.jpg")
    (folder / "train3.jpg").symlink_to(detection_set.folder / "elsewhere.jpg")
    assert findings() == []


def test_a_whole_path_in_the_folder_is_accepted(train, findings, folder):
    train["images"][2]["file_name"] = str(folder / "train3.jpg")
    train["images"][3]["file_name"] = "../train/train4.jpg"
    assert findings() == []


@pytest.mark.parametrize(
    "name", ["", None, 3, ["x"], {"a": 1}, "x" * 10000, "a\0b.jpg", "fifo", "zero", ".", "\ud800"]
)
def test_a_name_that_no_regular_file_has_is_dropped_unopened(
    train, findings, sentence, folder, name
):
    os.mkfifo(folder / "fifo")
    (folder / "zero").symlink_to("/dev/zero")
    train["images"][2]["file_name"] = name
    assert findings() == [("train", "image.bad_name", 1)]
    assert len(sentence("image.bad_name")) < 300
