"""Only some training images are used: which, and what is reported."""

import json

import pytest

from soco.data.checks import check_dataset


@pytest.fixture
def used(detection_set):
    """Check the set with a limit; return the result."""

    def check(count, seed=1):
        dataset = detection_set.dataset().model_copy(update={"max_train_images": count})
        return check_dataset(dataset, seed=seed)

    return check


def ids(checked, split="train"):
    return [image["id"] for image in checked.splits[split].content["images"]]


def test_a_smaller_number_is_a_subset_of_a_larger_one(used):
    few, more = (ids(used(count)) for count in (4, 7))
    assert (len(few), len(more)) == (4, 7)
    assert set(few) < set(more)
    assert few == sorted(few) and more == sorted(more)  # the file's order
    assert ids(used(4)) == few
    assert any(ids(used(4, seed)) != few for seed in (2, 3, 4))
    assert ids(used(4), "val") == list(range(1, 13))


def test_only_the_objects_of_used_images_stay(used):
    checked = used(5)
    train = checked.splits["train"]
    assert [entry["image_id"] for entry in train.content["annotations"]] == ids(checked)
    assert train.counts() == {"images": 5, "objects": 5, "categories": 2}
    found = [finding for finding in checked.findings if finding.code == "subset.left_out"]
    assert [(finding.kind, finding.split, finding.count) for finding in found] == [
        ("noted", "train", 7)
    ]


def test_images_without_an_object_are_not_chosen(used, train):
    del train["annotations"][0]
    train["annotations"][4]["iscrowd"] = 1
    train["annotations"][4]["segmentation"] = {"size": [30, 40], "counts": [0, 1200]}
    assert ids(used(10)) == [2, 3, 4, 5, 7, 8, 9, 10, 11, 12]


def test_more_images_than_there_are_are_refused(used, train):
    del train["annotations"][0]
    (refused,) = used(12).refused
    assert (refused.code, refused.count) == ("subset.too_few", 11)
    assert not used(11).refused


def test_the_copy_has_the_used_images_only(used, tmp_path, detection_set):
    paths = [tmp_path / name for name in ("a.json", "b.json", "findings.json")]
    checked = used(5)
    checked.write(*paths)
    train, _, findings = (json.loads(path.read_text()) for path in paths)
    assert [image["id"] for image in train["images"]] == ids(checked)
    splits = findings["splits"]
    assert (splits["train"]["part"], splits["train"]["repaired"]) == (True, False)
    assert (splits["train"]["images"], splits["val"]["images"]) == (5, 12)
    assert not splits["val"]["part"]
    assert paths[1].read_bytes() == (detection_set.folder / "val.json").read_bytes()


def test_copies_of_images_that_are_left_out_do_not_count(used, detection_set):
    for number in range(1, 13):
        name = f"{number}.jpg"
        content = (detection_set.folder / f"train/train{name}").read_bytes()
        (detection_set.folder / f"val/val{name}").write_bytes(content)
    found = [it for it in used(3).findings if it.code == "image.in_both_splits"]
    assert [finding.count for finding in found] == [3]
