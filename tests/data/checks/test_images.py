import json
import shutil

import pytest
from PIL import Image


@pytest.fixture
def third_image(detection_set):
    return detection_set.folder / "train" / "train3.jpg"


def left_out(detection_set):
    train, _, _ = detection_set.write()
    assert {entry["image_id"] for entry in train["annotations"]} == {
        image["id"] for image in train["images"]
    }
    return sorted(set(range(1, 13)) - {image["id"] for image in train["images"]})


def test_a_missing_image_is_left_out_with_its_objects(detection_set, findings, third_image):
    third_image.unlink()
    folder = third_image.parent
    assert findings() == [
        ("mended", "train", 1, f"Images that are not below {folder}: 1 (train3.jpg); left out.")
    ]
    assert left_out(detection_set) == [3]


def test_a_name_that_is_no_text_leads_to_no_file(detection_set, train, findings):
    train["images"][2]["file_name"] = 3
    what = "Images whose `file_name` is missing or not the name of a regular file"
    assert findings()[0][3] == f"{what}: 1 (no file_name of id 3); left out: correct it."
    assert left_out(detection_set) == [3]


def test_many_missing_images_are_refused(detection_set, findings, third_image):
    third_image.unlink()
    third_image.with_name("train4.jpg").unlink()
    refused = [
        (half, count, sentence) for kind, half, count, sentence in findings() if kind == "refused"
    ]
    told = "Images left out, of 12: 2 (train3.jpg, train4.jpg); more than a tenth"
    assert refused == [("train", 2, f"{told}: correct `images` in `datasets`, or the file.")]


def test_an_image_that_cannot_be_read_is_left_out(detection_set, findings, third_image):
    third_image.write_bytes(b"no image")
    assert findings()[0][3].startswith(
        "Images that cannot be read: 1 (train3.jpg: not in a known image format"
    )
    assert left_out(detection_set) == [3]


def test_an_image_of_another_size_is_left_out(detection_set, findings, third_image):
    Image.open(third_image).resize((80, 60)).save(third_image)
    assert "1 (train3.jpg: 40 x 30, the image 80 x 60); left out." in findings()[0][3]
    assert left_out(detection_set) == [3]


def test_a_size_that_is_not_told_is_taken_from_the_image(detection_set, train, findings):
    del train["images"][2]["width"]
    assert findings()[0][3].startswith(
        "Images without a whole `width` and `height`: 1 (train3.jpg); taken"
    )
    assert detection_set.write()[0]["images"][2]["width"] == 40


@pytest.fixture(params=["jpg", "png", "webp", "tif"])
def turned(request, train, third_image):
    """The third image of the training half as a file of another kind, with a tag that turns it by a quarter."""
    path = third_image.with_suffix(f".{request.param}")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(third_image).convert("RGB").save(path, exif=exif)
    train["images"][2]["file_name"] = path.name
    return path.name


def test_a_turned_image_that_was_annotated_unturned_is_left_out(detection_set, findings, turned):
    told = "Images that their EXIF tag turns and whose objects are drawn on them unturned"
    assert findings()[0][3].startswith(f"{told}: 1 ({turned}); left out")
    assert left_out(detection_set) == [3]


def test_a_turned_image_that_was_annotated_upright_is_noted(detection_set, train, findings, turned):
    train["images"][2] |= {"width": 30, "height": 40}
    told = f"Images that their EXIF tag turns: 1 ({turned}); they are used upright"
    assert [(kind, sentence[: len(told)]) for kind, _, _, sentence in findings()] == [
        ("noted", told)
    ]
    assert left_out(detection_set) == []


def test_an_image_listed_twice_is_listed_once(detection_set, train, findings):
    train["images"].append(dict(train["images"][2]))
    assert findings() == [
        ("mended", "train", 1, "Images listed twice in the same words: 1 (3); listed once.")
    ]
    assert len(detection_set.write()[0]["images"]) == 12


def test_an_id_of_two_images_is_refused(train, findings):
    train["images"][2]["id"] = 4
    assert (
        "refused",
        "train",
        1,
        "Image ids that two different images bear: 1 (4); give each its own.",
    ) in findings()


def test_a_file_under_two_ids_is_refused(train, findings):
    train["images"][2]["file_name"] = "train4.jpg"
    assert [(kind, count) for kind, _, count, _ in findings()] == [("refused", 1)]
    assert findings()[0][3].startswith("Image files listed under more than one id: 1 (train4.jpg)")


def test_ids_written_as_text_become_numbers(detection_set, train, findings):
    for entry in train["images"]:
        entry["id"] = str(entry["id"])
    told = (
        "Image ids written as text or with a point: 12 ('1', '2', '3', ...); read as whole numbers."
    )
    assert findings() == [("mended", "train", 12, told)]
    assert [image["id"] for image in detection_set.write()[0]["images"]] == list(range(1, 13))


def test_ids_that_are_no_numbers_are_given_anew_in_both_tables(detection_set, train, findings):
    for table, key in (("images", "id"), ("annotations", "image_id")):
        for entry in train[table]:
            entry[key] = f"image {entry[key]}"
    assert [(kind, count) for kind, _, count, _ in findings()] == [("mended", 12)]
    written = detection_set.write()[0]
    assert [entry["image_id"] for entry in written["annotations"]] == list(range(1, 13))
    assert written["images"][4] == {"id": 5, "file_name": "train5.jpg", "width": 40, "height": 30}


def test_an_image_without_objects_is_noted(train, val, findings):
    del train["annotations"][2], val["annotations"][4:6]
    assert findings() == [
        (
            "noted",
            "train",
            1,
            "Images without an object: 1 (train3.jpg); training passes them over.",
        ),
        (
            "noted",
            "val",
            2,
            (
                "Images without an object: 2 (val5.jpg, val6.jpg); whatever is detected there is a"
                " miss."
            ),
        ),
    ]


def test_an_image_without_objects_is_scored_by_its_negative_categories_in_lvis(
    detection_set, val, findings
):
    detection_set.as_lvis()
    del val["annotations"][4]
    then = (
        "LVIS counts only detections of their `neg_category_ids` as misses there, and ignores"
        " others"
    )
    assert findings() == [("noted", "val", 1, f"Images without an object: 1 (val5.jpg); {then}.")]


@pytest.mark.parametrize("odd", [2**53 + 1, 2**70, "9" * 5000])
def test_ids_that_the_evaluator_would_round_are_given_anew(detection_set, train, findings, odd):
    train["images"][2]["id"] = train["annotations"][2]["image_id"] = odd
    assert [(kind, count) for kind, _, count, _ in findings()] == [("mended", 1)]
    assert findings()[0][3].startswith("Image ids that are no whole numbers up to 2^53: 1 (")
    assert len(findings()[0][3]) < 300
    assert [entry["image_id"] for entry in detection_set.write()[0]["annotations"]] == list(
        range(1, 13)
    )


def test_an_image_in_both_halves_is_told_whatever_its_name(detection_set, findings, third_image):
    shutil.copy(third_image, detection_set.folder / "val" / "val7.jpg")
    ((kind, half, count, sentence),) = findings()
    assert (kind, half, count) == ("noted", "both", 1)
    assert sentence.startswith(
        "Validation images, of 12, that are in both halves: 1 (train3.jpg and val7.jpg)"
    )
    assert "WARNING" in sentence


def test_one_name_in_both_folders_is_no_copy(detection_set, val, findings):
    folder = detection_set.folder / "val"
    (folder / "val3.jpg").rename(folder / "train3.jpg")
    val["images"][2]["file_name"] = "train3.jpg"
    assert findings() == []


def test_a_file_of_no_json_is_refused_as_a_finding(detection_set, findings):
    dataset = detection_set.dataset()
    (detection_set.folder / "train.json").write_text("{")
    from soco.data.checks import check_dataset

    found = check_dataset(dataset).findings
    assert [(finding.kind, finding.half) for finding in found] == [("refused", "train")]
    assert "cannot be read as JSON" in found[0].sentence
    assert json.loads((detection_set.folder / "val.json").read_text())
