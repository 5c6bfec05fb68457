"""What the report draws: boxes, plots and the choice of images."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from soco.config import ImagesConfig
from soco.data import open_source
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA
from soco.proposals.choice import evenly
from soco.report.collect import spread
from soco.report.drawing.marks import Mark, draw_marks
from soco.report.drawing.training_curve import curve_of
from soco.report.figures import loss_figure
from soco.report.gallery import proposal_gallery
from soco.report.html import duration, number


def decoded(uri):
    data = base64.b64decode(uri.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def svg_of(image):
    return base64.b64decode(image.uri.split(",", 1)[1]).decode()


def test_a_box_is_drawn_in_its_place():
    grey = np.full((50, 100, 3), 128, np.uint8)
    drawn = decoded(draw_marks(grey, [Mark((20, 10, 60, 40), "#00ff00")], 200)[0])
    assert drawn.shape == (100, 200, 3)
    for y, x in ((20, 80), (79, 80), (50, 41), (50, 119)):
        assert drawn[y, x, 1] > drawn[y, x, 0] + 40
    assert abs(drawn[50, 80] - 128).max() < 6 and abs(drawn[5, 5] - 128).max() < 6


def test_boxes_beyond_the_image_are_clipped():
    grey = np.full((40, 40, 3), 128, np.uint8)
    marks = [
        Mark((-10, -10, 400, 400), "#ff0000", "a long label"),
        Mark((5, 5, 5, 5), "#ffffff", "x"),
    ]
    assert draw_marks(grey, marks, 40)[1] == (40, 40)


def test_the_gallery_is_the_same_each_time_and_has_no_empty_image(inputs):
    store = read_table(inputs.store, PROPOSAL_SCHEMA)
    source = open_source(ImagesConfig.model_validate(inputs.config["images"]))
    gallery = proposal_gallery(store, source)
    assert gallery == proposal_gallery(store, source)
    assert len(gallery) == 8 and all(" 0 of " not in image.alt for image in gallery)
    assert len({image.caption for image in gallery}) == 8


def test_missing_images_are_left_out(inputs, tmp_path):
    elsewhere = open_source(ImagesConfig(path=str(tmp_path)))
    assert proposal_gallery(read_table(inputs.store, PROPOSAL_SCHEMA), elsewhere) == []


def test_plots_use_the_readers_colours_and_show_names_literally():
    points = [
        {"step": step, "loss": None if step == 2 else -step / 2, "lr": 0.1} for step in range(4)
    ]
    svg = svg_of(loss_figure({"run": "a$b$", "curve": points, "loss_floor": -8}))
    assert "currentColor" in svg and "prefers-color-scheme" in svg and "#010203" not in svg
    assert svg == svg_of(loss_figure({"run": "a$b$", "curve": points, "loss_floor": -8}))


def test_the_loss_of_a_constant_answer_is_drawn_where_the_log_has_it():
    lines = [{"step": step, "loss": -1.0, "lr": 0.1} for step in range(3)]
    known = [line | {"constant": -0.9} for line in lines]
    old, new = (
        svg_of(loss_figure({"run": "a", "curve": curve_of(of), "loss_floor": -8}))
        for of in (lines, known)
    )
    assert "orange: constant answer" in new and "constant answer" not in old


def test_signs_of_collapse_are_drawn_where_the_log_has_them():
    old = [{"step": step, "loss": -1.0, "lr": 0.1} for step in range(900)]
    new = [
        line | {"spread": 0.8, "cosine_apart": None if line["step"] == 5 else 0.2} for line in old
    ]
    plain, signs = (
        loss_figure({"run": "a", "curve": curve_of(lines), "loss_floor": -8})
        for lines in (old, new)
    )
    assert "mean cosine between images" in svg_of(signs) and "spread" in signs.alt
    assert "mean cosine" not in svg_of(plain) and "spread" not in plain.alt
    assert len(curve_of(new)) == 400 and set(curve_of(new)[0]) == {
        "step",
        "loss",
        "lr",
        "spread",
        "cosine_apart",
    }
    assert set(curve_of([*old, *new])[0]) == set(curve_of(new)[0])


@pytest.mark.parametrize(
    ("most", "expected"), [(9, [0, 1, 2, 3, 4, 5]), (3, [0, 2, 5]), (2, [0, 5])]
)
def test_evenly_keeps_both_ends(most, expected):
    assert evenly(range(6), most) == expected


def test_spread():
    assert spread(np.array([1, 2, 9])) == {"smallest": 1, "median": 2.0, "mean": 4.0, "largest": 9}


def test_numbers_are_written_for_readers():
    assert [number(1234567), number(-5.914, 2), number(None)] == [
        "1\u202f234\u202f567",
        "\u22125.91",
        "–",
    ]
    assert [duration(4.06), duration(59.97), duration(11220), duration(None)] == [
        "4.1 s",
        "1 min 00 s",
        "3 h 07 min",
        "–",
    ]
