"""Labelled and detected objects on the validation images."""

import base64
import dataclasses
import io
import json

import numpy as np
import pycocotools.mask as mask_tools
import pytest
from PIL import Image

from soco.report.detections import task_detections
from soco.report.drawing.marks import Mark, draw_marks
from soco.report.drawing.masks import covered_pixels


def decoded(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))).astype(int)


@pytest.fixture
def square():
    """Rows 2 to 5 and columns 3 to 6 of an image 10 wide and 8 high."""
    pixels = np.zeros((8, 10), bool)
    pixels[2:6, 3:7] = True
    return pixels


def test_all_kinds_of_masks_cover_the_same_pixels(square):
    polygon = [[3, 2, 7, 2, 7, 6, 3, 6]]
    # Column by column: three columns of 8 and two rows, then four times 4 inside with 4 between
    # them, then the rest.
    runs = {"size": [8, 10], "counts": [26, 4, 4, 4, 4, 4, 4, 4, 26]}
    code = mask_tools.encode(np.asfortranarray(square.astype(np.uint8)))
    compressed = {"size": [8, 10], "counts": code["counts"].decode()}
    for segmentation in (polygon, runs, compressed):
        assert np.array_equal(covered_pixels(segmentation, 10, 8), square)


def test_parts_of_a_polygon_are_joined():
    parts = [[0, 0, 2, 0, 2, 2, 0, 2], [5, 5, 8, 5, 8, 8, 5, 8]]
    covered = covered_pixels(parts, 10, 10)
    assert covered[0, 0] and covered[6, 6] and not covered[3, 3] and covered.sum() == 4 + 9


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {"size": [9, 9], "counts": [81]},
        {"size": [8, 10], "counts": "PPYo1"},
        [[1, 2, 3, 4]],
    ],
)
def test_an_invalid_mask_is_not_drawn(broken):
    assert covered_pixels(broken, 10, 8) is None


def test_a_mask_is_translucent_with_an_opaque_edge():
    grey = np.full((100, 100, 3), 128, np.uint8)
    mask = np.zeros((100, 100), bool)
    mask[20:81, 30:71] = True
    mark = Mark((30, 20, 71, 81), "#ff0000", mask=mask)
    boxed = decoded(draw_marks(grey, [dataclasses.replace(mark, box=(0, 0, 1, 1))], 200)[0])
    # 0.6 of the image's 128 and 0.4 of the colour.
    assert np.abs(boxed[100, 100] - [179, 77, 77]).max() < 8
    # Columns 60 to 141 of the doubled image are inside; the outermost two are the edge.
    assert boxed[100, 61, 0] > 215 and boxed[100, 61, 1] < 70
    assert np.abs(boxed[100, 50] - 128).max() < 10 and np.abs(boxed[180, 100] - 128).max() < 10


def test_labels_do_not_cover_one_another():
    grey = np.full((100, 100, 3), 128, np.uint8)
    red, blue = (Mark((20, 30, 80, 70), colour, "word") for colour in ("#ff0000", "#0000ff"))
    both = decoded(draw_marks(grey, [red, blue], 200, 16)[0])
    alone = decoded(draw_marks(grey, [blue], 200, 16)[0])
    # Only the blue box and its label's background are blue; the red box is below the blue one, with
    # its label next to it.
    found = [((drawn[..., 2] - drawn[..., 0]) > 100).sum() for drawn in (both, alone)]
    assert found[0] > 0.9 * found[1]
    assert ((both[..., 0] - both[..., 2]) > 100).sum() > 300


def test_detections_are_next_to_the_labels(inputs):
    rows = task_detections([files for files in inputs.evaluations if files.task == "coco"])
    assert [[image.title for image in row] for row in rows] == [["labelled", "scratch", "soco"]] * 4
    # The larger of the two labelled objects comes first; crowds are not drawn.
    labelled = rows[0][0]
    assert labelled.caption == "ring, disc"
    assert labelled.alt == "Image 0.png, labelled: ring, disc, each with its mask."
    assert (labelled.width, labelled.height) == (320, 320) and len(labelled.uri) < 40_000


def test_the_first_seed_is_shown(inputs, tmp_path):
    first, second = [
        files
        for files in inputs.evaluations
        if (files.task, files.initialisation) == ("coco", "soco")
    ]
    one = {
        "image_id": 0,
        "category_id": 3,
        "score": 0.87,
        "bbox": [20, 24, 40, 36],
        "segmentation": [],
    }
    for files, score in (("first", 0.87), ("second", 0.41)):
        (tmp_path / files).write_text(json.dumps([one | {"score": score}]))
    shown = [dataclasses.replace(first, detections=tmp_path / "first")]
    shown += [dataclasses.replace(second, detections=tmp_path / "second")]
    rows = task_detections(shown)
    assert [image.title for image in rows[0]] == ["labelled", "soco"]
    assert rows[0][1].caption == "star 0.87" and rows[1][1].caption == "nothing"
    assert rows[0][1].alt == "Image 0.png, soco: star 0.87, without masks."


def test_only_the_best_are_drawn(inputs, tmp_path):
    scores = [0.31, 0.99, 0.29, 0.5, 0.6, 0.7, 0.8, 0.9]
    box = {"image_id": 0, "category_id": 1, "bbox": [20, 24, 40, 36]}
    (tmp_path / "found.json").write_text(json.dumps([box | {"score": score} for score in scores]))
    files = dataclasses.replace(inputs.evaluations[0], detections=tmp_path / "found.json")
    caption = task_detections([files])[0][1].caption
    assert caption == "disc 0.99, disc 0.90, disc 0.80, disc 0.70, disc 0.60, disc 0.50"


def test_many_labelled_objects_are_counted(inputs, tmp_path):
    content = json.loads(inputs.evaluations[0].annotations.read_text())
    shape = {
        "image_id": 0,
        "bbox": [10, 10, 9, 9],
        "segmentation": [[10, 10, 19, 10, 19, 19, 10, 19]],
    }
    content["annotations"] = [shape | {"id": n, "category_id": 1 + n % 2} for n in range(25)]
    (tmp_path / "val.json").write_text(json.dumps(content))
    files = dataclasses.replace(inputs.evaluations[0], annotations=tmp_path / "val.json")
    (row,) = task_detections([files])
    assert row[0].caption == "10 × disc, 10 × ring"
