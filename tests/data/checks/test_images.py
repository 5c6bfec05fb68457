import shutil

import pytest
from PIL import Image

ALL = list(range(1, 13))


@pytest.fixture
def third_image(detection_set):
    return detection_set.folder / "train" / "train3.jpg"


def dropped(detection_set):
    """Write the set; return the ids of the training images that are not in it."""
    train, _, _ = detection_set.write()
    ids = {image["id"] for image in train["images"]}
    assert {entry["image_id"] for entry in train["annotations"]} == ids
    return sorted({*ALL} - ids)


def test_a_missing_image_is_dropped_with_its_objects(
    detection_set, findings, sentence, third_image
):
    third_image.unlink()
    assert findings() == [("train", "image.missing", 1)]
    assert sentence("image.missing").endswith(f"{third_image.parent}: 1 (train3.jpg); dropped.")
    assert dropped(detection_set) == [3]


def test_a_name_that_is_not_text_leads_to_no_file(detection_set, train, findings, sentence):
    train["images"][2]["file_name"] = 3
    assert findings() == [("train", "image.bad_name", 1)]
    assert "1 (no file_name of id 3)" in sentence("image.bad_name")
    assert dropped(detection_set) == [3]


def test_many_missing_images_are_refused(detection_set, third_image):
    third_image.unlink()
    third_image.with_name("train4.jpg").unlink()
    (refused,) = detection_set.check().refused
    assert (refused.split, refused.code) == ("train", "image.too_many_dropped")
    assert "of 12: 2 (train3.jpg, train4.jpg)" in refused.sentence


def test_an_image_that_cannot_be_read_is_dropped(detection_set, findings, sentence, third_image):
    third_image.write_bytes(b"no image")
    assert findings() == [("train", "image.unreadable", 1)]
    assert "1 (train3.jpg: " in sentence("image.unreadable")
    assert dropped(detection_set) == [3]


def test_an_image_of_another_size_is_dropped(detection_set, findings, sentence, third_image):
    Image.open(third_image).resize((80, 60)).save(third_image)
    assert findings() == [("train", "image.other_size", 1)]
    assert "1 (train3.jpg: listed 40 x 30, file 80 x 60)" in sentence("image.other_size")
    assert dropped(detection_set) == [3]


def test_a_size_that_is_not_listed_is_taken_from_the_image(detection_set, train, findings):
    del train["images"][2]["width"]
    assert findings() == [("train", "image.no_size", 1)]
    assert detection_set.write()[0]["images"][2]["width"] == 40


@pytest.fixture(params=["jpg", "png", "webp", "tif"])
def rotated(request, train, third_image):
    """The third training image in another format, with an EXIF rotation by 90 degrees."""
    path = third_image.with_suffix(f".{request.param}")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(third_image).convert("RGB").save(path, exif=exif)
    train["images"][2]["file_name"] = path.name
    return path.name


def test_a_rotated_image_that_was_annotated_unrotated_is_dropped(
    detection_set, findings, sentence, rotated
):
    assert findings() == [("train", "image.annotated_unrotated", 1)]
    assert f"1 ({rotated})" in sentence("image.annotated_unrotated")
    assert dropped(detection_set) == [3]


def test_a_rotated_image_that_was_annotated_upright_is_noted(
    detection_set, train, findings, rotated
):
    train["images"][2] |= {"width": 30, "height": 40}
    assert findings() == [("train", "image.rotated", 1)]
    assert dropped(detection_set) == []


def test_an_image_listed_twice_is_listed_once(detection_set, train, findings):
    train["images"].append(dict(train["images"][2]))
    assert findings() == [("train", "image.duplicate", 1)]
    assert len(detection_set.write()[0]["images"]) == 12


def test_an_id_of_two_images_is_refused(train, findings):
    train["images"][2]["id"] = 4
    assert ("train", "image.id_of_two", 1) in findings()


def test_a_file_under_two_ids_is_refused(train, findings, sentence):
    train["images"][2]["file_name"] = "train4.jpg"
    assert findings() == [("train", "image.two_ids", 1)]
    assert "1 (train4.jpg)" in sentence("image.two_ids")


def test_ids_written_as_text_become_numbers(detection_set, train, findings):
    for entry in train["images"]:
        entry["id"] = str(entry["id"])
    assert findings() == [("train", "image.text_id", 12)]
    assert [image["id"] for image in detection_set.write()[0]["images"]] == ALL


def test_ids_that_are_not_numbers_are_renumbered_in_both_tables(detection_set, train, findings):
    for table, key in (("images", "id"), ("annotations", "image_id")):
        for entry in train[table]:
            entry[key] = f"image {entry[key]}"
    assert findings() == [("train", "image.bad_id", 12)]
    written = detection_set.write()[0]
    assert [entry["image_id"] for entry in written["annotations"]] == ALL
    assert written["images"][4] == {"id": 5, "file_name": "train5.jpg", "width": 40, "height": 30}


@pytest.mark.parametrize("odd", [2**53 + 1, 2**70, "9" * 5000])
def test_ids_that_the_evaluator_would_round_are_renumbered(
    detection_set, train, findings, sentence, odd
):
    train["images"][2]["id"] = train["annotations"][2]["image_id"] = odd
    assert findings() == [("train", "image.bad_id", 1)]
    assert len(sentence("image.bad_id")) < 300
    assert [entry["image_id"] for entry in detection_set.write()[0]["annotations"]] == ALL


def test_an_image_without_objects_is_noted(detection_set, train, val, findings):
    del train["annotations"][2], val["annotations"][4:6]
    assert findings() == [("train", "image.no_object", 1), ("val", "image.no_object", 2)]
    sentences = [finding.sentence for finding in detection_set.check().findings]
    assert "skipped" in sentences[0] and "false positive" in sentences[1]


def test_an_image_without_objects_is_scored_by_its_negative_categories_in_lvis(
    detection_set, val, findings, sentence
):
    detection_set.as_lvis()
    del val["annotations"][4]
    assert findings() == [("val", "image.no_object", 1)]
    assert "`neg_category_ids`" in sentence("image.no_object")


def test_an_image_in_both_splits_is_found_whatever_its_name(
    detection_set, findings, sentence, third_image
):
    shutil.copy(third_image, detection_set.folder / "val" / "val7.jpg")
    assert findings() == [("both", "image.in_both_splits", 1)]
    assert "of 12" in sentence("image.in_both_splits")
    assert "1 (train3.jpg and val7.jpg)" in sentence("image.in_both_splits")


def test_one_name_in_both_folders_is_not_a_copy(detection_set, val, findings):
    folder = detection_set.folder / "val"
    (folder / "val3.jpg").rename(folder / "train3.jpg")
    val["images"][2]["file_name"] = "train3.jpg"
    assert findings() == []
