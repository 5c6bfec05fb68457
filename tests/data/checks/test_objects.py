import copy

import pytest

MASK = [[4, 5, 12, 5, 12, 15, 4, 15]]
POINTS = [[4, 5], [12, 5], [12, 15], [4, 15]]
NAN = float("nan")


def test_a_sound_set_has_no_findings(findings):
    assert findings() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"image_id": 99}, "object.unknown_image"),
        ({"category_id": 9}, "object.unknown_category"),
        ({"segmentation": []}, "mask.none"),
        ({"segmentation": None}, "mask.none"),
        ({"segmentation": {"size": [40, 30], "counts": [1200]}}, "mask.bad_run_lengths"),
        ({"segmentation": {"size": [30, 40], "counts": [5, 6]}}, "mask.bad_run_lengths"),
        ({"segmentation": {"size": [30, 40], "counts": "0!"}}, "mask.bad_run_lengths"),
        ({"segmentation": {"size": [30.0, 40.0], "counts": [600, 600]}}, "mask.bad_run_lengths"),
        ({"segmentation": {"x": [4, 12, 12], "y": [5, 5, 15]}}, "mask.unknown_form"),
        ({"bbox": [50, 5, 8, 10]}, "box.outside"),
    ],
)
def test_an_object_that_cannot_be_used_is_dropped(
    detection_set, third, findings, sentence, change, code
):
    third |= change
    assert ("train", code, 1) in findings()
    assert ": 1 (103); " in sentence(code)
    train, _, _ = detection_set.write()
    assert [entry["id"] for entry in train["annotations"]] == [101, 102, *range(104, 113)]


@pytest.mark.parametrize(
    ("segmentation", "code"),
    [
        ([POINTS], "polygon.nested"),
        (POINTS, "polygon.nested"),
        ([[POINTS]], "polygon.nested"),
        ([[MASK]], "polygon.nested"),
        ([*MASK, [{"x": 4, "y": 5}]], "polygon.not_numbers"),
        ([*MASK, ["4", "5", "12", "5", "12", "15"]], "polygon.not_numbers"),
        ([*MASK, [NAN, 5, 12, 5, 12, 15]], "polygon.not_finite"),
        ([*MASK, [10**400, 5, 12, 5, 12, 15]], "polygon.not_finite"),
        ([*MASK, [0, 0, 1e9, 0, 1e9, 1e9]], "polygon.far"),
        (MASK[0], "mask.not_in_list"),
        ([[1, 2, 3, 4], *MASK, [1] * 7], "polygon.broken"),
        ([*MASK, [50, 5, 60, 5, 60, 15]], "polygon.outside"),
    ],
)
def test_a_mask_is_repaired(detection_set, third, findings, sentence, segmentation, code):
    expected = {**third, "segmentation": MASK}
    third["segmentation"] = segmentation
    assert findings() == [("train", code, 1)]
    assert "1 (103)" in sentence(code)
    assert detection_set.write()[0]["annotations"][2] == expected


@pytest.mark.parametrize(
    ("change", "code", "repaired"),
    [
        ({"bbox": [10**400, 5, 8, 10]}, "box.broken", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [4, 5, 8]}, "box.broken", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [12, 15, -8, -10]}, "box.broken", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [4, 5, 0, 10]}, "box.broken", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [NAN, 5, 8, 10]}, "box.broken", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [-3, 5, 15, 30]}, "box.beyond", {"bbox": [0, 5, 12, 25]}),
        ({"area": None}, "area.none", {"area": 80.0}),
        ({"iscrowd": None}, "crowd.no_iscrowd", {"iscrowd": 0}),
        ({"iscrowd": "1"}, "crowd.no_iscrowd", {"iscrowd": 1}),
        ({"ignore": 1}, "crowd.ignore", {"iscrowd": 1}),
        ({"image_id": "3"}, "object.text_ids", {"image_id": 3}),
        ({"category_id": "2"}, "object.text_ids", {"category_id": 2}),
    ],
)
def test_an_object_is_repaired(detection_set, third, findings, sentence, change, code, repaired):
    expected = {**third, **repaired}
    third |= change
    assert findings() == [("train", code, 1)]
    assert "1 (103)" in sentence(code)
    assert detection_set.write()[0]["annotations"][2] == expected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bbox": [10, 5, 8, 10]}, "box.unlike_mask"),
        (
            {"segmentation": [[4, 5, 12, 5, 12, 15, -4, 15]], "bbox": [0, 5, 12, 10]},
            "polygon.beyond",
        ),
    ],
)
def test_what_is_odd_but_usable_is_noted_and_kept(detection_set, third, findings, change, code):
    third |= change
    kept = copy.deepcopy(third)
    assert findings() == [("train", code, 1)]
    assert detection_set.write()[0]["annotations"][2] == kept


def test_run_lengths_among_polygons_are_noted(third, findings):
    third["segmentation"] = {"size": [30, 40], "counts": [4 * 30 + 5, *[10, 20] * 7, 10, 855]}
    assert findings() == [("train", "object.run_lengths_among_polygons", 1)]


def test_many_objects_that_cannot_be_used_are_refused(train, findings, sentence):
    for entry in train["annotations"][:2]:
        del entry["segmentation"]
    assert ("train", "object.too_many_dropped", 2) in findings()
    assert "of 12: 2 (101, 102)" in sentence("object.too_many_dropped")


def test_a_split_without_objects_is_refused(train, findings):
    train["annotations"] = []
    assert findings() == [("train", "file.no_usable_object", 1)]


@pytest.mark.parametrize("bad", [0, -1, 101, "7", None, 1.5, 2**70])
def test_object_ids_that_cannot_be_used_are_renumbered(
    detection_set, third, findings, sentence, bad
):
    third["id"] = bad
    shown = "none" if bad is None else repr(bad)
    assert findings() == [("train", "object.bad_ids", 1)]
    assert f"1 ({shown})" in sentence("object.bad_ids")
    assert [entry["id"] for entry in detection_set.write()[0]["annotations"]] == list(range(1, 13))


def test_a_sound_lvis_set_has_no_findings(detection_set, findings):
    detection_set.as_lvis()
    assert findings() == []
    assert "iscrowd" not in detection_set.write()[0]["annotations"][0]
