import pytest

from soco.config.known import KNOWN, KnownCounts
from soco.data.checks import check_dataset
from soco.errors import UserError


def known_as(detection_set, name):
    return detection_set.dataset().model_copy(update={"known_as": name})


def test_a_set_with_other_counts_than_the_published_one_is_refused(detection_set, tmp_path):
    checked = check_dataset(known_as(detection_set, "coco_2017"))
    assert [(found.kind, found.half, found.count) for found in checked.refused] == [
        ("refused", "train", 3),
        ("refused", "val", 3),
    ]
    assert (
        "lists 12 images, 12 objects, 2 categories, and COCO 2017's training annotations 118,287"
        " images" in (checked.refused[0].sentence)
    )
    with pytest.raises(UserError, match=r"fetch it again, or set `known_as` of this set to null"):
        checked.write(tmp_path / "train.json", tmp_path / "val.json", tmp_path / "findings.json")
    assert not check_dataset(known_as(detection_set, None)).refused


def test_a_set_with_the_published_counts_passes(detection_set, monkeypatch):
    published = KNOWN.datasets["coco_2017"]
    counts = KnownCounts(images=12, objects=12, categories=2)
    halves = {
        half: getattr(published, half).model_copy(update={"counts": counts})
        for half in ("train", "val")
    }
    monkeypatch.setitem(KNOWN.datasets, "coco_2017", published.model_copy(update=halves))
    assert not check_dataset(known_as(detection_set, "coco_2017")).refused
    del detection_set.contents["val"]["annotations"][0]
    assert [
        found.half for found in check_dataset(known_as(detection_set, "coco_2017")).refused
    ] == ["val"]
