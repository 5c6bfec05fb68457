import copy

import pytest

from soco.config.known import KNOWN, KnownCounts
from soco.data.checks import check_dataset


def doubled(content, **changes):
    content["annotations"] += [
        {**copy.deepcopy(entry), "id": entry["id"] + 100} for entry in content["annotations"]
    ]
    for entry in content["annotations"][12:]:
        entry |= changes


TWICE = (
    "Objects given twice: the same image, category, box and mask: 12 (101 and 201, 102 and 202, 103"
    " and 203, ...)"
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bbox": [4.4, 5.2, 7.8, 9.7]},
        {"segmentation": [[4.01, 5, 12, 5, 12, 15, 4, 15]]},
        {"segmentation": {"size": [30, 40], "counts": [125, *[10, 20] * 7, 10, 855]}},
        {"id": 101, "area": None},
    ],
)
def test_the_copy_of_an_object_is_left_out(detection_set, val, findings, changes):
    doubled(val, **changes)
    twice = [
        (kind, sentence)
        for kind, _, _, sentence in findings()
        if sentence.startswith("Objects given twice")
    ]
    kind, sentence = twice[0]
    assert kind == "mended" and sentence.endswith("...); the later one of each is left out.")
    assert "id" in changes or sentence == f"{TWICE}; the later one of each is left out."
    assert [entry["image_id"] for entry in detection_set.write()[1]["annotations"]] == list(
        range(1, 13)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"bbox": [6, 5, 8, 10]},
        {"segmentation": [[4, 5, 12, 5, 4, 15]]},
        {"iscrowd": 1},
    ],
)
def test_another_box_or_mask_is_another_object(detection_set, val, findings, changes):
    doubled(val, **changes)
    assert not any("given twice" in sentence for *_, sentence in findings())
    assert len(detection_set.write()[1]["annotations"]) == 24


def test_one_outline_of_two_categories_is_noted_and_kept(detection_set, train, findings):
    train["annotations"].append(
        {**copy.deepcopy(train["annotations"][2]), "id": 300, "category_id": 1}
    )
    told = (
        "Objects of one image, box and mask, but of two categories: 1 (103 and 300); used as they"
        " are; look which"
    )
    assert [(kind, sentence[: len(told)]) for kind, _, _, sentence in findings()] == [
        ("noted", told)
    ]
    assert len(detection_set.write()[0]["annotations"]) == 13


def test_a_published_set_keeps_its_copies(detection_set, monkeypatch):
    doubled(detection_set.contents["train"])
    published = KNOWN.datasets["coco_2017"]
    counts = {
        half: KnownCounts(images=12, objects=n, categories=2)
        for half, n in (("train", 24), ("val", 12))
    }
    halves = {
        half: getattr(published, half).model_copy(update={"counts": counts[half]})
        for half in counts
    }
    monkeypatch.setitem(KNOWN.datasets, "coco_2017", published.model_copy(update=halves))
    checked = check_dataset(detection_set.dataset().model_copy(update={"known_as": "coco_2017"}))
    told = f"{TWICE}; used as they are, since the published set has them."
    assert [(found.kind, found.sentence) for found in checked.findings] == [("noted", told)]
    assert len(checked.halves["train"].content["annotations"]) == 24
