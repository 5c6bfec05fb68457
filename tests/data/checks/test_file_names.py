import os
import tracemalloc

import pytest

from soco.data.checks import file_names


@pytest.fixture
def folder(detection_set):
    return detection_set.folder / "train"


@pytest.fixture
def rename(train, folder):
    """Give every image of the training half another name in the json, and another to its file."""

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
    ((kind, half, count, sentence),) = findings()
    assert (kind, half, count) == ("mended", "train", 12)
    assert sentence.startswith(
        "Images whose `file_name` has backslashes, or accents in another form of Unicode"
    )
    written = detection_set.write()[0]
    assert len(written["annotations"]) == 12
    assert all((folder / image["file_name"]).is_file() for image in written["images"])


@pytest.mark.parametrize(
    ("listed", "stored", "remedy"),
    [
        (
            r"images\{}",
            "{}",
            r"there is a train1.jpg in FOLDER for images\train1.jpg, ALL; take `images\` off",
        ),
        (
            "images/{}",
            "{}",
            "there is a train1.jpg in FOLDER for images/train1.jpg, ALL; take `images/` off",
        ),
        (
            "/home/me/x/{}",
            "{}",
            "for /home/me/x/train1.jpg, ALL; take `/home/me/x/` off `file_name`",
        ),
        (r"C:\x\{}", "{}", r"for C:\x\train1.jpg, ALL; take `C:\x\` off `file_name`"),
        ("../other/{}", "{}", "for ../other/train1.jpg, ALL; take `../other/` off `file_name`"),
        (
            "{}",
            "a/b/{}",
            (
                "there is a a/b/train1.jpg in FOLDER for train1.jpg, ALL; set `images` to"
                " FOLDER/a/b, or"
            ),
        ),
        (
            "x/{}",
            "a/{}",
            "there is a a/train1.jpg in FOLDER for x/train1.jpg, ALL; correct the folder in",
        ),
        (
            "a%20b {}",
            "a b {}",
            "there is a a b train1.jpg in FOLDER for a%20b train1.jpg, ALL; decode `file_name`",
        ),
        ("{}", "A{}", None),
        ("A{}", "a{}", "for Atrain1.jpg, ALL; correct upper and lower case in `file_name`"),
        ("{stem}.png", "{}", "for train1.png, ALL; correct the extension in `file_name`"),
        ("{stem}.JPG", "{}", "for train1.JPG, ALL; correct upper and lower case in `file_name`"),
        (
            "x/{stem}.png",
            "a/{}",
            "there is a a/train1.jpg in FOLDER for x/train1.png, ALL; correct `file_name`",
        ),
    ],
)
def test_the_file_that_a_name_may_mean_is_named(findings, rename, folder, listed, stored, remedy):
    rename(listed, stored)
    sentences = [sentence for *_, sentence in findings()]
    assert (
        f"Images left out, of 12: 12 ({listed.format('train1.jpg', stem='train1')}, "
        in sentences[1]
    )
    if remedy is None:
        assert sentences[0].endswith("...); left out.")
    else:
        assert (
            remedy.replace("FOLDER", str(folder)).replace("ALL", "and so for 12 of them")
            in sentences[0]
        )


@pytest.fixture
def linked(detection_set, folder, rename):
    """Have the images in a folder elsewhere, to which `train2017` is a link, and their names begin as given."""

    def link(listed):
        rename(listed)
        folder.rename(detection_set.folder / "elsewhere")
        folder.mkdir()
        (folder / "train2017").symlink_to(detection_set.folder / "elsewhere")

    return link


def test_names_are_repaired_in_a_folder_that_is_a_link(detection_set, findings, linked):
    linked(r"train2017\{}")
    assert [found[:3] for found in findings()] == [("mended", "train", 12)]
    assert detection_set.write()[0]["images"][0]["file_name"] == "train2017/train1.jpg"


def test_the_search_follows_links_and_ends_at_loops(findings, linked, folder):
    linked("{stem}.png")
    for loop in ("a", "train2017/up"):
        (folder / loop).symlink_to(folder)
    (folder / "z").symlink_to(folder / "train2017")
    (folder / "self").symlink_to("self")
    told = (
        f"there is a train2017/train1.jpg in {folder} for train1.png, and so for 12 of them;"
        " correct `file_name`"
    )
    assert told in findings()[0][3]


def test_the_search_for_one_name_takes_little_memory(train, findings, folder):
    (folder / "train3.jpg").unlink()
    for number in range(5000):
        (folder / f"{number:012d}.jpg").touch()
    tracemalloc.start()
    found = findings()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0][3] == f"Images that are not below {folder}: 1 (train3.jpg); left out."
    assert peak < 3_000_000  # an index for each rule takes 1,300 bytes a file


def test_among_too_many_files_no_file_is_named_for_another(findings, rename, monkeypatch):
    rename("{stem}.png")
    monkeypatch.setattr(file_names, "_MOST_FILES", 11)
    assert findings()[0][3].endswith("...); left out.")


def test_among_too_many_files_names_are_repaired(findings, rename, monkeypatch):
    rename(r"a\{}", "a/{}")
    monkeypatch.setattr(file_names, "_MOST_FILES", 1)
    assert [found[:3] for found in findings()] == [("mended", "train", 12)]


def test_a_name_whose_file_is_there_in_both_forms_of_unicode_is_left_alone(train, findings, folder):
    for name in ("\u00e9.jpg", "e\u0301.jpg"):
        (folder / name).write_bytes((folder / "train3.jpg").read_bytes())
    train["images"][2]["file_name"] = ".\\\u00e9.jpg"
    assert findings()[0][3].startswith(f"Images that are not below {folder}: 1 (")


def test_a_name_that_two_files_could_be_is_left_alone(train, findings, folder):
    (folder / "train3.jpg").rename(folder / "Train3.jpg")
    (folder / "TRAIN3.jpg").write_bytes(b"another")
    assert findings()[0][3] == f"Images that are not below {folder}: 1 (train3.jpg); left out."


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "../../../../../../dev/zero", "a/../../val/x"]
)
def test_a_name_that_leads_out_of_the_folder_is_not_opened(train, findings, folder, name):
    train["images"][2]["file_name"] = name
    what = f"Images whose `file_name` leads out of {folder}, which are not opened: 1 ({name})"
    assert findings()[0][:3] == ("mended", "train", 1)
    assert findings()[0][3] == f"{what}; left out: set `images` to a folder above them."


def test_a_link_in_the_folder_may_lead_out_of_it(detection_set, findings, folder):
    (folder / "train3.jpg").rename(detection_set.folder / "elsewhere.jpg")
    (folder / "train3.jpg").symlink_to(detection_set.folder / "elsewhere.jpg")
    assert findings() == []


def test_a_whole_path_below_the_folder_is_taken(train, findings, folder):
    train["images"][2]["file_name"] = str(folder / "train3.jpg")
    train["images"][3]["file_name"] = "../train/train4.jpg"
    assert findings() == []


@pytest.mark.parametrize(
    "name", ["", None, 3, ["x"], {"a": 1}, "x" * 10000, "a\0b.jpg", "fifo", "zero", ".", "\ud800"]
)
def test_a_name_that_no_regular_file_bears_is_left_out_unopened(train, findings, folder, name):
    os.mkfifo(folder / "fifo")
    (folder / "zero").symlink_to("/dev/zero")
    train["images"][2]["file_name"] = name
    assert findings()[0][3].startswith(
        "Images whose `file_name` is missing or not the name of a regular file: 1 ("
    )
    assert len(findings()[0][3]) < 300
