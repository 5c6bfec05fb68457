import pytest

RUN_LENGTHS = {"size": [30, 40], "counts": [125, *[10, 20] * 7, 10, 855]}


def set_all(content, **fields):
    for entry in content["annotations"]:
        entry |= fields


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_of_crowds_alone_is_used_as_single_objects(detection_set, findings, split):
    set_all(detection_set.contents[split], iscrowd=1)
    assert findings() == [(split, "crowd.all", 12)]
    train, val, _ = detection_set.write()
    assert [entry["iscrowd"] for entry in (*train["annotations"], *val["annotations"])] == [0] * 24


def test_brush_masks_among_polygons_stay_crowds_and_are_noted_by_their_share(
    detection_set, train, val, findings
):
    for entry in (*train["annotations"][:5], *val["annotations"][:3]):
        entry |= {"iscrowd": 1, "segmentation": RUN_LENGTHS}
    assert findings() == [("train", "crowd.many", 5), ("val", "crowd.many", 3)]
    sentences = [finding.sentence for finding in detection_set.check().findings]
    assert "42% of all" in sentences[0] and "not trained on" in sentences[0]
    assert "25% of all" in sentences[1] and "not scored" in sentences[1]
    assert sum(entry["iscrowd"] for entry in detection_set.write()[0]["annotations"]) == 5


def test_few_crowds_are_not_noted(third, findings):
    third["iscrowd"] = 1
    assert findings() == []


def test_a_category_of_crowds_alone_is_noted(train, val, findings):
    for content in (train, val):
        for entry in content["annotations"]:
            entry["iscrowd"] = int(entry["category_id"] == 2)
    noted = {("train", "category.crowds_only", 1), ("val", "category.crowds_only", 1)}
    assert noted < {*findings()}


@pytest.mark.parametrize(("split", "use"), [("train", "train on"), ("val", "score")])
def test_a_split_in_which_all_is_ignored_is_refused(detection_set, split, use):
    set_all(detection_set.contents[split], ignore=1)
    (refused,) = detection_set.check().refused
    assert (refused.split, refused.code, refused.count) == (split, "crowd.all_ignored", 12)
    assert use in refused.sentence


def test_where_all_else_is_ignored_the_crowds_are_single_objects(detection_set, train):
    set_all(train, iscrowd=1)
    train["annotations"][0]["ignore"] = 1
    assert [entry["iscrowd"] for entry in detection_set.write()[0]["annotations"]] == [1] + [0] * 11


@pytest.mark.parametrize("value", [None, False, "0", "false", 0.0])
def test_an_ignore_that_is_false_is_removed(detection_set, third, findings, value):
    third["ignore"] = value
    assert findings() == [("train", "crowd.unclear_ignore", 1)]
    written = detection_set.write()[0]["annotations"][2]
    assert "ignore" not in written and written["iscrowd"] == 0


def test_lvis_has_no_crowds(detection_set, train, findings):
    detection_set.as_lvis()
    set_all(train, iscrowd=1)
    assert findings() == [("train", "crowd.in_lvis", 12)]
    assert not any("iscrowd" in entry for entry in detection_set.write()[0]["annotations"])
