import copy

import pytest

WIDTH, HEIGHT = 40, 30


@pytest.fixture
def spread(train):
    """The training half with objects that lie all over their images."""
    for number, entry in enumerate(train["annotations"]):
        x, y = 2 + 2 * number, 1 + 1.5 * number
        entry["bbox"] = [x, y, 8, 10]
        entry["segmentation"] = [[x, y, x + 8, y, x + 8, y + 10, x, y + 10]]
    return train["annotations"]


def scale_box(entry, sx, sy):
    entry["bbox"] = [
        value * factor for value, factor in zip(entry["bbox"], (sx, sy) * 2, strict=True)
    ]


def scale_mask(entry, sx, sy):
    (polygon,) = entry["segmentation"]
    entry["segmentation"] = [[value * (sx, sy)[place % 2] for place, value in enumerate(polygon)]]


def refused(findings):
    return [sentence for kind, _, _, sentence in findings() if kind == "refused"]


MULTIPLY = "multiply x and width by the image's width, y and height by its height"


def as_corners(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x, y, x + w, y + h]


def as_centres(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x + w / 2, y + h / 2, w, h]


def in_shares(entry):
    scale_box(entry, 1 / WIDTH, 1 / HEIGHT)


@pytest.mark.parametrize(
    ("changes", "reading", "remedy"),
    [
        ([as_corners], "x1, y1, x2, y2", "COCO's are x, y, width, height: convert them"),
        ([in_shares], "shares of the image", MULTIPLY),
        (
            [lambda entry: scale_box(entry, 100 / WIDTH, 100 / HEIGHT)],
            "percent of the image",
            MULTIPLY,
        ),
        ([as_corners, in_shares], "x1, y1, x2, y2 in shares of the image", MULTIPLY),
        (
            [as_centres],
            "the centre's x and y, width, height",
            "COCO's begin at the upper left corner",
        ),
        (
            [as_centres, in_shares],
            "the centre's x and y, width, height in shares of the image",
            MULTIPLY,
        ),
        (
            [lambda entry: entry.update(bbox=[entry["bbox"][i] for i in (1, 0, 3, 2)])],
            "y, x, height, width",
            "COCO's",
        ),
    ],
)
def test_boxes_that_fit_their_masks_in_another_reading_are_refused(
    spread, findings, changes, reading, remedy
):
    for entry in spread:
        for change in changes:
            change(entry)
    (first, *_) = refused(findings)
    assert first.startswith("Boxes, of 12, that fit their masks only as " + reading + ": ")
    assert remedy in first


@pytest.mark.parametrize(
    ("change", "reading"),
    [
        (lambda entry: scale_mask(entry, 1 / WIDTH, 1 / HEIGHT), "shares of the image"),
        (lambda entry: scale_mask(entry, 100 / WIDTH, 100 / HEIGHT), "percent of the image"),
    ],
)
def test_masks_that_fit_their_boxes_in_another_reading_are_refused(
    spread, findings, change, reading
):
    for entry in spread:
        change(entry)
    assert refused(findings)[0].startswith(
        f"Masks, of 12, that fit their boxes only as {reading}: "
    )
    assert "multiply each x by the image's width and each y by its height" in refused(findings)[0]


@pytest.mark.parametrize("box", [True, False])
def test_coordinates_from_0_to_1_are_refused(spread, findings, box):
    for entry in spread:
        scale_box(entry, 1 / WIDTH, 1 / HEIGHT)
        scale_mask(entry, 1 / WIDTH, 1 / HEIGHT)
        if not box:
            del entry["bbox"]
    assert refused(findings) == [
        "Objects, of 12, whose coordinates are all from 0 to 1: 12 (101, 102, 103, ...); they are"
        " shares of the image, and COCO's are pixels: multiply by its width and height."
    ]


def test_a_part_of_the_objects_in_shares_is_enough(spread, findings):
    for entry in spread[::4]:
        scale_box(entry, 1 / WIDTH, 1 / HEIGHT)
        scale_mask(entry, 1 / WIDTH, 1 / HEIGHT)
    assert refused(findings)[0].startswith(
        "Objects, of 12, whose coordinates are all from 0 to 1: 3 (101, 105, 109)"
    )


def test_a_few_objects_of_one_pixel_are_no_shares(spread, findings):
    for entry in spread[:2]:
        entry |= {"bbox": [0, 0, 1, 1], "segmentation": [[0, 0, 1, 0, 1, 1, 0, 1]]}
    assert [(kind, count, sentence[:50]) for kind, _, count, sentence in findings()] == [
        ("noted", 2, "Objects, of 12, within the first pixel of their im")
    ]


def test_one_box_in_another_reading_proves_nothing(spread, findings):
    as_corners(spread[0])
    in_shares(spread[1])
    assert not refused(findings)


def test_objects_in_the_upper_left_quarter_alone_are_noted(spread, findings):
    for entry in spread:
        scale_box(entry, 0.5, 0.5)
        scale_mask(entry, 0.5, 0.5)
    ((kind, _, count, sentence),) = findings()
    assert (kind, count) == ("noted", 12)
    assert sentence.startswith(
        "Objects within the first 40% of the width and 46% of the height of their images: 12 ("
    )
    assert sentence.endswith(
        "if the coordinates are percent or of smaller copies of the images, scale them."
    )


def test_objects_far_beyond_their_images_are_noted(spread, findings):
    for entry in spread:
        scale_box(entry, 2, 2)
        scale_mask(entry, 2, 2)
    assert (
        "Objects, of 12, that reach far beyond their images: 8 (105, 106, 107, ...); up to 1.6"
        " times the width and 1.8 times the height: if the coordinates are percent or of larger"
        " copies of the images, scale them."
        in [sentence for kind, _, _, sentence in findings() if kind == "noted"]
    )


def test_objects_all_over_their_images_have_no_findings(spread, findings):
    assert findings() == []


@pytest.mark.parametrize("area", [-4, 1e300, WIDTH * HEIGHT * 2, 80 / WIDTH / HEIGHT, 10**400])
def test_an_impossible_area_is_counted(detection_set, third, findings, area):
    expected = {**copy.deepcopy(third), "area": 80.0}
    third["area"] = area
    assert [(kind, count) for kind, _, count, _ in findings()] == [("mended", 1)]
    assert "area" in findings()[0][3]
    assert detection_set.write()[0]["annotations"][2] == expected
