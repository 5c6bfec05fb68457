import pytest


def set_all(content, **fields):
    for entry in content["annotations"]:
        entry |= fields


@pytest.mark.parametrize("half", ["train", "val"])
def test_a_half_of_crowds_alone_is_taken_for_one_of_single_objects(detection_set, findings, half):
    set_all(detection_set.contents[half], iscrowd=1)
    assert findings() == [
        (
            "mended",
            half,
            12,
            (
                "Objects with `iscrowd` 1, in a half without any other: 12 (101, 102, 103, ...);"
                " taken for single objects, as CVAT exports brush masks: `iscrowd` set to 0."
            ),
        )
    ]
    train, val, _ = detection_set.write()
    assert [entry["iscrowd"] for entry in (*train["annotations"], *val["annotations"])] == [0] * 24


def test_brush_masks_among_polygons_stay_crowds_and_are_noted_by_their_share(
    detection_set, train, val, findings
):
    for entry in (*train["annotations"][:5], *val["annotations"][:3]):
        entry |= {
            "iscrowd": 1,
            "segmentation": {"size": [30, 40], "counts": [125, *[10, 20] * 7, 10, 855]},
        }
    then = "if each is a single object (CVAT's brush masks are), set it to 0."
    assert [sentence for *_, sentence in findings()] == [
        (
            "Objects with `iscrowd` 1, 42% of all: 5 (101, 102, 103, ...); crowd regions are not"
            f" trained on: {then}"
        ),
        (
            "Objects with `iscrowd` 1, 25% of all: 3 (101, 102, 103); crowd regions are not"
            f" scored: {then}"
        ),
    ]
    assert sum(entry["iscrowd"] for entry in detection_set.write()[0]["annotations"]) == 5


def test_few_crowds_are_not_worth_a_word(third, findings):
    third["iscrowd"] = 1
    assert findings() == []


def test_a_category_of_crowds_alone_is_noted(train, val, findings):
    for half in (train, val):
        for entry in half["annotations"]:
            entry["iscrowd"] = int(entry["category_id"] == 2)
    what = "Categories of which every object is a crowd region (`iscrowd` 1): 1 (spoon)"
    assert [sentence for *_, sentence in findings() if sentence.startswith("Categories")] == [
        f"{what}; the detector cannot learn them.",
        f"{what}; they have no AP.",
    ]


@pytest.mark.parametrize(("half", "use"), [("train", "train on"), ("val", "score")])
def test_a_half_that_is_ignored_altogether_is_refused(detection_set, findings, half, use):
    set_all(detection_set.contents[half], ignore=1)
    refused = [sentence for kind, _, _, sentence in findings() if kind == "refused"]
    what = "Objects with `ignore`, in a half without any other: 12 (101, 102, 103, ...)"
    assert refused == [f"{what}; nothing is left to {use}: take `ignore` off."]


def test_where_all_else_is_ignored_the_crowds_are_single_objects(detection_set, train):
    set_all(train, iscrowd=1)
    train["annotations"][0]["ignore"] = 1
    assert [entry["iscrowd"] for entry in detection_set.write()[0]["annotations"]] == [1] + [0] * 11


@pytest.mark.parametrize("value", [None, False, "0", "false", 0.0])
def test_an_ignore_that_is_false_is_taken_off(detection_set, third, findings, value):
    third["ignore"] = value
    told = "Objects whose `ignore` is false, but not the number 0: 1 (103); `ignore` removed."
    assert [sentence for *_, sentence in findings()] == [told]
    written = detection_set.write()[0]["annotations"][2]
    assert "ignore" not in written and written["iscrowd"] == 0


def test_crowds_are_unknown_to_lvis(detection_set, train, findings):
    detection_set.as_lvis()
    set_all(train, iscrowd=1)
    told = (
        "Objects with `iscrowd`, which LVIS does not have: 12 (101, 102, 103, ...); used as any"
        " other."
    )
    assert findings() == [("mended", "train", 12, told)]
    assert not any("iscrowd" in entry for entry in detection_set.write()[0]["annotations"])
