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


SHOWN = "12 (101 and 201, 102 and 202, 103 and 203, ...)"


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
def test_the_copy_of_an_object_is_dropped(detection_set, val, findings, sentence, changes):
    doubled(val, **changes)
    assert ("val", "duplicate.object", 12) in findings()
    assert "id" in changes or SHOWN in sentence("duplicate.object")
    written = detection_set.write()[1]["annotations"]
    assert [entry["image_id"] for entry in written] == list(range(1, 13))


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
    assert not any(code == "duplicate.object" for _, code, _ in findings())
    assert len(detection_set.write()[1]["annotations"]) == 24


def test_one_outline_of_two_categories_is_noted_and_kept(detection_set, train, findings, sentence):
    train["annotations"].append(
        {**copy.deepcopy(train["annotations"][2]), "id": 300, "category_id": 1}
    )
    assert findings() == [("train", "duplicate.two_categories", 1)]
    assert "1 (103 and 300)" in sentence("duplicate.two_categories")
    assert len(detection_set.write()[0]["annotations"]) == 13


def test_a_published_set_keeps_its_copies(detection_set, monkeypatch):
    doubled(detection_set.contents["train"])
    published = KNOWN.datasets["coco_2017"]
    splits = {
        split: getattr(published, split).model_copy(
            update={"counts": KnownCounts(images=12, objects=objects, categories=2)}
        )
        for split, objects in (("train", 24), ("val", 12))
    }
    monkeypatch.setitem(KNOWN.datasets, "coco_2017", published.model_copy(update=splits))
    checked = check_dataset(detection_set.dataset().model_copy(update={"known_as": "coco_2017"}))
    assert [(it.kind, it.code) for it in checked.findings] == [("noted", "duplicate.published")]
    assert SHOWN in checked.findings[0].sentence
    assert len(checked.splits["train"].content["annotations"]) == 24
