import numpy as np

from soco.pretrain.views.cutout import draw_holes

BOX = np.array([[0.3, 0.3, 0.7, 0.7]], np.float32)


def test_holes_are_squares_of_the_stated_area_around_points_of_the_box():
    rng = np.random.default_rng(0)
    holes = [hole for _ in range(400) for hole in draw_holes(rng, BOX, 200, 1.0)]
    shares = [hole.width * hole.height / 80**2 for hole in holes]
    assert 0.08 < min(shares) < 0.12
    assert 0.28 < max(shares) < 0.33
    assert all(hole.width == hole.height or abs(hole.width - hole.height) == 1 for hole in holes)
    middles = np.array([[hole.left + hole.width / 2, hole.top + hole.height / 2] for hole in holes])
    assert (middles.min(axis=0) >= 59).all() and (middles.max(axis=0) <= 141).all()
    assert middles.min() < 65 and middles.max() > 135


def test_holes_end_with_the_view():
    rng = np.random.default_rng(0)
    corner = np.array([[0.8, 0.0, 1.0, 0.2]], np.float32)
    for _ in range(200):
        for hole in draw_holes(rng, corner, 50, 1.0):
            assert 0 <= hole.top <= hole.top + hole.height <= 50
            assert 0 <= hole.left <= hole.left + hole.width <= 50


def test_each_box_is_cut_out_by_its_chance():
    rng = np.random.default_rng(0)
    boxes = np.repeat(BOX, 1000, axis=0)
    assert len(draw_holes(rng, boxes, 64, 0.0)) == 0
    assert 450 < len(draw_holes(rng, boxes, 64, 0.5)) < 550
