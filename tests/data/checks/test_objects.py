import copy

import pytest

MASK = [[4, 5, 12, 5, 12, 15, 4, 15]]
POINTS = [[4, 5], [12, 5], [12, 15], [4, 15]]


def test_a_sound_set_has_no_findings(findings):
    assert findings() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"image_id": 99}, "Objects on images that `images` does not list: 1 (103); left out."),
        (
            {"category_id": 9},
            "Objects of categories that `categories` does not list: 1 (103); left out.",
        ),
        (
            {"segmentation": []},
            "Objects without a mask, on which the detector trains: 1 (103); left out.",
        ),
        (
            {"segmentation": None},
            "Objects without a mask, on which the detector trains: 1 (103); left out.",
        ),
        (
            {"segmentation": {"size": [40, 30], "counts": [1200]}},
            "Run-length masks that are broken or not of their image's size: 1 (103); left out.",
        ),
        (
            {"segmentation": {"size": [30, 40], "counts": [5, 6]}},
            "Run-length masks that are broken or not of their image's size: 1 (103); left out.",
        ),
        (
            {"segmentation": {"size": [30, 40], "counts": "0!"}},
            "Run-length masks that are broken or not of their image's size: 1 (103); left out.",
        ),
        (
            {"segmentation": {"x": [4, 12, 12], "y": [5, 5, 15]}},
            (
                "Masks that are mappings without `size` and `counts`: 1 (103); left out: write"
                " polygons, each as [x1, y1, x2, y2, ...], or run lengths."
            ),
        ),
        (
            {"segmentation": {"size": [30.0, 40.0], "counts": [600, 600]}},
            "Run-length masks that are broken or not of their image's size: 1 (103); left out.",
        ),
        (
            {"bbox": [50, 5, 8, 10]},
            "Boxes wholly outside their image: 1 (103); the objects are left out.",
        ),
    ],
)
def test_an_object_that_cannot_be_used_is_left_out(
    detection_set, third, findings, change, expected
):
    third |= change
    assert ("mended", "train", 1, expected) in findings()
    train, _, _ = detection_set.write()
    assert [entry["id"] for entry in train["annotations"]] == [101, 102, *range(104, 113)]


@pytest.mark.parametrize(
    ("change", "what", "mended"),
    [
        (
            {"segmentation": [POINTS]},
            "Objects with polygons of [x, y] points",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": POINTS},
            "Objects with polygons of [x, y] points",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [[POINTS]]},
            "Objects with polygons of [x, y] points",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [[MASK]]},
            "Objects with polygons of [x, y] points",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [*MASK, [{"x": 4, "y": 5}]]},
            "Objects with polygons of text or mappings, such as {x: 1, y: 2}",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [*MASK, ["4", "5", "12", "5", "12", "15"]]},
            "Objects with polygons of text or mappings",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [*MASK, [float("nan"), 5, 12, 5, 12, 15]]},
            "Objects with polygons of numbers that are not finite, or huge",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [*MASK, [10**400, 5, 12, 5, 12, 15]]},
            "Objects with polygons of numbers that are not finite, or huge",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [*MASK, [0, 0, 1e9, 0, 1e9, 1e9]]},
            "Objects with polygons that reach 10 times their image's longer side beyond it",
            {"segmentation": MASK},
        ),
        ({"bbox": [10**400, 5, 8, 10]}, "Boxes that are no four numbers", {"bbox": [4, 5, 8, 10]}),
        (
            {"segmentation": MASK[0]},
            "Polygons that are not in a list of polygons",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [[1, 2, 3, 4], *MASK, [1] * 7]},
            "Objects with polygons of fewer than three points",
            {"segmentation": MASK},
        ),
        (
            {"segmentation": [*MASK, [50, 5, 60, 5, 60, 15]]},
            "Objects with polygons of which no part lies",
            {"segmentation": MASK},
        ),
        ({"bbox": [4, 5, 8]}, "Boxes that are no four numbers", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [12, 15, -8, -10]}, "Boxes that are no four numbers", {"bbox": [4, 5, 8, 10]}),
        ({"bbox": [4, 5, 0, 10]}, "Boxes that are no four numbers", {"bbox": [4, 5, 8, 10]}),
        (
            {"bbox": [float("nan"), 5, 8, 10]},
            "Boxes that are no four numbers",
            {"bbox": [4, 5, 8, 10]},
        ),
        (
            {"bbox": [-3, 5, 15, 30]},
            "Boxes that reach beyond their image",
            {"bbox": [0, 5, 12, 25]},
        ),
        ({"area": None}, "Objects without `area`", {"area": 80.0}),
        ({"iscrowd": None}, "Objects without `iscrowd`", {"iscrowd": 0}),
        ({"iscrowd": "1"}, "Objects without `iscrowd`", {"iscrowd": 1}),
        ({"ignore": 1}, "Objects with `ignore`", {"iscrowd": 1}),
        ({"image_id": "3"}, "Objects that name image or category by text", {"image_id": 3}),
        ({"category_id": "2"}, "Objects that name image or category by text", {"category_id": 2}),
    ],
)
def test_an_object_is_mended(detection_set, third, findings, change, what, mended):
    expected = {**third, **mended}
    third |= change
    assert [(kind, half, count) for kind, half, count, _ in findings()] == [("mended", "train", 1)]
    assert findings()[0][3].startswith(what)
    assert "1 (103)" in findings()[0][3]
    assert detection_set.write()[0]["annotations"][2] == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"bbox": [10, 5, 8, 10]},
            "Boxes that do not enclose their mask closely: 1 (103); used as they are",
        ),
        (
            {"segmentation": [[4, 5, 12, 5, 12, 15, -4, 15]], "bbox": [0, 5, 12, 10]},
            "Objects with polygons that reach",
        ),
    ],
)
def test_what_is_odd_but_usable_is_noted_and_kept(detection_set, third, findings, change, expected):
    third |= change
    kept = copy.deepcopy(third)
    assert [(kind, count) for kind, _, count, _ in findings()] == [("noted", 1)]
    assert findings()[0][3].startswith(expected)
    assert detection_set.write()[0]["annotations"][2] == kept


def test_run_lengths_among_polygons_are_noted(third, findings):
    third["segmentation"] = {"size": [30, 40], "counts": [4 * 30 + 5, *[10, 20] * 7, 10, 855]}
    assert findings() == [
        (
            "noted",
            "train",
            1,
            "Run-length masks among polygons: 1 (103); no harm: all are trained on as bitmaps.",
        )
    ]


def test_boxes_given_as_corners_are_refused(train, findings):
    for entry in train["annotations"]:
        entry["bbox"] = [4, 5, 12, 15]
    refused = [sentence for kind, _, _, sentence in findings() if kind == "refused"]
    assert refused == [
        "Boxes, of 12, that fit their masks only as x1, y1, x2, y2: 12 (101, 102, 103, ...); COCO's"
        " are x, y, width, height: convert them."
    ]


def test_many_objects_that_cannot_be_used_are_refused(train, findings):
    for entry in train["annotations"][:2]:
        del entry["segmentation"]
    expected = "Objects left out, of 12: 2 (101, 102); more than a tenth: correct the file."
    assert ("refused", "train", 2, expected) in findings()


def test_a_half_without_objects_is_refused(train, findings):
    train["annotations"] = []
    assert [(kind, half) for kind, half, _, _ in findings()] == [("refused", "train")]


@pytest.mark.parametrize("bad", [0, -1, 101, "7", None, 1.5, 2**70])
def test_object_ids_that_would_not_do_are_given_anew(detection_set, third, findings, bad):
    third["id"] = bad
    shown = "none" if bad is None else repr(bad)
    assert [(kind, count) for kind, _, count, _ in findings()] == [("mended", 1)]
    assert f"1 ({shown}); all are numbered anew, from 1 to 12." in findings()[0][3]
    assert [entry["id"] for entry in detection_set.write()[0]["annotations"]] == list(range(1, 13))


def test_lvis_knows_no_crowds(detection_set, findings):
    detection_set.as_lvis()
    assert findings() == []
    assert "iscrowd" not in detection_set.write()[0]["annotations"][0]
