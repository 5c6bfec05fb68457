import numpy as np
import pytest

from soco.pretrain.views.boxes import (
    clip_to_crop,
    draw,
    draw_holes,
    flip,
    jitter,
    overlapping,
)
from soco.pretrain.views.crops import Crop, random_crop
from soco.pretrain.views.plan import _jitter_once

BOX = np.array([[0.3, 0.3, 0.7, 0.7]], np.float32)


def test_enough_candidates_are_drawn_without_replacement():
    drawn = draw(np.random.default_rng(0), np.arange(10), 4)
    assert len(set(drawn.tolist())) == 4


def test_too_few_candidates_are_all_taken_and_repeated():
    drawn = draw(np.random.default_rng(0), np.array([3, 7]), 4)
    assert drawn[:2].tolist() == [3, 7]
    assert set(drawn.tolist()) == {3, 7}


def test_jitter_is_bounded_and_stays_in_the_image():
    boxes = np.tile(np.array([[50, 20, 90, 60]], np.float32), (500, 1))
    moved = jitter(np.random.default_rng(0), boxes, (100, 80), 0.1, 1.0)
    assert np.abs(moved[:, :2] - boxes[:, :2]).max() <= 4.001
    sizes = moved[:, 2:] - moved[:, :2]
    assert 35.99 <= sizes[:, 1].min() < 36.5
    assert 43.5 < sizes[:, 1].max() <= 44.01
    assert moved.max() <= 99


def test_jitter_changes_boxes_with_its_probability():
    boxes = np.tile(np.array([[50, 20, 90, 60]], np.float32), (2000, 1))
    moved = jitter(np.random.default_rng(0), boxes, (100, 80), 0.1, 0.3)
    assert 0.25 < (moved != boxes).any(axis=1).mean() < 0.35
    assert np.array_equal(jitter(np.random.default_rng(0), boxes, (100, 80), 0.0, 1.0), boxes)


def test_copies_of_a_box_get_the_same_jitter(tiny_recipe):
    boxes = np.array([[50, 20, 90, 60], [10, 10, 50, 50]], np.float32)
    recipe = tiny_recipe.model_copy(update={"jitter_probability": 1.0})
    moved = _jitter_once(np.random.default_rng(0), boxes, np.array([1, 0, 1, 1]), (100, 80), recipe)
    assert np.array_equal(moved[0], moved[2])
    assert np.array_equal(moved[0], moved[3])
    assert not np.array_equal(moved[0], boxes[1])


def test_flipping_twice_changes_nothing():
    boxes = np.array([[0.1, 0.2, 0.5, 0.6]], np.float32)
    assert flip(boxes) == pytest.approx(np.array([[0.5, 0.2, 0.9, 0.6]]))
    assert flip(flip(boxes)) == pytest.approx(boxes)


def test_a_box_that_only_touches_a_crop_does_not_overlap_it():
    crop = Crop(top=10, left=10, height=20, width=20)
    boxes = np.array([[0, 0, 10, 40], [0, 0, 11, 40], [29, 0, 40, 40], [28, 0, 40, 40]], np.float32)
    assert overlapping(boxes, crop).tolist() == [False, True, False, True]


def test_a_box_beyond_the_crop_is_clipped_to_it():
    crop = Crop(top=10, left=10, height=20, width=40)
    assert clip_to_crop(np.array([[0, 0, 99, 99]], np.float32), crop) == pytest.approx(
        np.array([[0, 0, 39 / 40, 19 / 20]])
    )


def test_crops_are_in_the_image_and_span_the_allowed_areas():
    rng = np.random.default_rng(0)
    crops = [random_crop(rng, 300, 200, 0.5) for _ in range(400)]
    assert all(0 <= c.top <= 200 - c.height and 0 <= c.left <= 300 - c.width for c in crops)
    shares = np.array([c.width * c.height / 60000 for c in crops])
    ratios = np.array([c.width / c.height for c in crops])
    assert 0.49 < shares.min() < 0.52
    assert shares.max() > 0.85
    assert ratios.min() > 0.74
    assert ratios.max() < 1.35


def test_a_very_wide_image_gets_the_centred_crop():
    assert random_crop(np.random.default_rng(0), 1000, 100, 0.9) == Crop(0, 433, 100, 133)


def test_cut_out_squares_have_the_stated_area_and_a_centre_in_the_box():
    rng = np.random.default_rng(0)
    holes = [hole for _ in range(400) for hole in draw_holes(rng, BOX, 200, 1.0)]
    shares = [hole.width * hole.height / 80**2 for hole in holes]
    assert 0.08 < min(shares) < 0.12
    assert 0.28 < max(shares) < 0.33
    assert all(hole.width == hole.height or abs(hole.width - hole.height) == 1 for hole in holes)
    middles = np.array([[hole.left + hole.width / 2, hole.top + hole.height / 2] for hole in holes])
    assert (middles.min(axis=0) >= 59).all() and (middles.max(axis=0) <= 141).all()
    assert middles.min() < 65 and middles.max() > 135


def test_cut_out_squares_are_clipped_to_the_view():
    rng = np.random.default_rng(0)
    corner = np.array([[0.8, 0.0, 1.0, 0.2]], np.float32)
    for _ in range(200):
        for hole in draw_holes(rng, corner, 50, 1.0):
            assert 0 <= hole.top <= hole.top + hole.height <= 50
            assert 0 <= hole.left <= hole.left + hole.width <= 50


def test_each_box_is_cut_out_with_the_probability():
    rng = np.random.default_rng(0)
    boxes = np.repeat(BOX, 1000, axis=0)
    assert len(draw_holes(rng, boxes, 64, 0.0)) == 0
    assert 450 < len(draw_holes(rng, boxes, 64, 0.5)) < 550
