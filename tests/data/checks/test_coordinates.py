import copy

import pytest

WIDTH, HEIGHT = 40, 30


@pytest.fixture
def spread(train):
    """The training split with objects spread all over their images."""
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


def as_corners(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x, y, x + w, y + h]


def as_centres(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x + w / 2, y + h / 2, w, h]


def as_fractions(entry):
    scale_box(entry, 1 / WIDTH, 1 / HEIGHT)


def as_percent(entry):
    scale_box(entry, 100 / WIDTH, 100 / HEIGHT)


def as_rows_first(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [y, x, h, w]


MULTIPLY = "multiply x and width by the image's width, y and height by its height"


@pytest.mark.parametrize(
    ("changes", "reading", "remedy"),
    [
        ([as_corners], "x1, y1, x2, y2", "convert them"),
        ([as_fractions], "fractions of the image", MULTIPLY),
        ([as_percent], "percent of the image", MULTIPLY),
        ([as_corners, as_fractions], "x1, y1, x2, y2 in fractions of the image", MULTIPLY),
        ([as_centres], "centre x, centre y, width, height", "upper left corner"),
        (
            [as_centres, as_fractions],
            "centre x, centre y, width, height in fractions of the image",
            MULTIPLY,
        ),
        ([as_rows_first], "y, x, height, width", "COCO's"),
    ],
)
def test_boxes_that_fit_their_masks_in_another_reading_are_refused(
    spread, detection_set, changes, reading, remedy
):
    for entry in spread:
        for change in changes:
            change(entry)
    first = detection_set.check().refused[0]
    assert first.code == "coordinates.boxes_misread"
    assert f"read as {reading}: " in first.sentence and remedy in first.sentence


@pytest.mark.parametrize(
    ("scale", "reading"),
    [
        ((1 / WIDTH, 1 / HEIGHT), "fractions of the image"),
        ((100 / WIDTH, 100 / HEIGHT), "percent of the image"),
    ],
)
def test_masks_that_fit_their_boxes_in_another_reading_are_refused(
    spread, detection_set, scale, reading
):
    for entry in spread:
        scale_mask(entry, *scale)
    first = detection_set.check().refused[0]
    assert first.code == "coordinates.masks_misread"
    assert f"read as {reading}: " in first.sentence and "multiply each x" in first.sentence


@pytest.mark.parametrize("box", [True, False])
def test_coordinates_from_0_to_1_are_refused(spread, detection_set, box):
    for entry in spread:
        as_fractions(entry)
        scale_mask(entry, 1 / WIDTH, 1 / HEIGHT)
        if not box:
            del entry["bbox"]
    refused = detection_set.check().refused
    assert [(it.code, it.count) for it in refused] == [("coordinates.fractions", 12)]


def test_a_part_of_the_objects_in_fractions_is_enough(spread, findings):
    for entry in spread[::4]:
        as_fractions(entry)
        scale_mask(entry, 1 / WIDTH, 1 / HEIGHT)
    assert ("train", "coordinates.fractions", 3) in findings()


def test_a_few_objects_of_one_pixel_are_not_fractions(spread, findings):
    for entry in spread[:2]:
        entry |= {"bbox": [0, 0, 1, 1], "segmentation": [[0, 0, 1, 0, 1, 1, 0, 1]]}
    assert findings() == [("train", "coordinates.first_pixel", 2)]


def test_one_box_in_another_reading_proves_nothing(spread, detection_set):
    as_corners(spread[0])
    as_fractions(spread[1])
    assert not detection_set.check().refused


def test_objects_in_the_upper_left_quarter_alone_are_noted(spread, findings, sentence):
    for entry in spread:
        scale_box(entry, 0.5, 0.5)
        scale_mask(entry, 0.5, 0.5)
    assert findings() == [("train", "coordinates.upper_left", 12)]
    assert "40% of the width and 46% of the height" in sentence("coordinates.upper_left")


def test_objects_far_beyond_their_images_are_noted(spread, findings, sentence):
    for entry in spread:
        scale_box(entry, 2, 2)
        scale_mask(entry, 2, 2)
    assert ("train", "coordinates.far_beyond", 8) in findings()
    assert "1.6 times the width and 1.8 times the height" in sentence("coordinates.far_beyond")


def test_objects_all_over_their_images_have_no_findings(spread, findings):
    assert findings() == []


@pytest.mark.parametrize("area", [-4, 1e300, WIDTH * HEIGHT * 2, 80 / WIDTH / HEIGHT, 10**400])
def test_an_impossible_area_is_counted(detection_set, third, findings, area):
    expected = {**copy.deepcopy(third), "area": 80.0}
    third["area"] = area
    ((_, code, count),) = findings()
    assert code in ("area.impossible", "area.none") and count == 1
    assert detection_set.write()[0]["annotations"][2] == expected
