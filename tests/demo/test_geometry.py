"""Polygons reproduce their masks, and objects stay visible."""

import numpy as np
import pytest
from pycocotools import mask as mask_tools

from soco.demo.arrange import LEAST_VISIBLE, _box, _coverage, arrange, ownership
from soco.demo.forms import FORMS, loops_of
from soco.demo.polygons import polygons_of


def filled(polygons: list[list[int]], shape: tuple[int, int]) -> np.ndarray:
    return mask_tools.decode(mask_tools.frPyObjects(polygons, *shape)).max(axis=2).astype(bool)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_polygons_of_any_mask_reproduce_it(share: float) -> None:
    # Noise has the hard cases: adjacent holes, pixels that touch at corners, the image's border.
    for seed in range(20):
        mask = np.random.default_rng(seed).random((13, 17)) < share
        assert np.array_equal(filled(polygons_of(mask), mask.shape), mask)


def test_a_hole_belongs_to_its_region_s_polygon() -> None:
    mask = np.ones((6, 8), bool)
    mask[2:4, 2:4] = mask[3, 6] = False
    (polygon,) = polygons_of(mask)
    x, y = np.array(polygon).reshape(-1, 2).T
    # The shoelace area, which detectron2 computes, excludes holes too.
    assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 == mask.sum()


def test_a_rectangle_has_four_corners() -> None:
    mask = np.zeros((5, 7), bool)
    mask[1:4, 2:6] = True
    (polygon,) = polygons_of(mask)
    corners = {tuple(point) for point in np.array(polygon).reshape(-1, 2).tolist()}
    assert len(polygon) == 8
    assert corners == {(2, 1), (6, 1), (6, 4), (2, 4)}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_fills_the_side_it_is_given(form: str) -> None:
    points = np.concatenate(loops_of(form, side=40.0, turn=11.0, stretch=1.1, mirror=True))
    low, high = points.min(axis=0), points.max(axis=0)
    assert (high - low).max() == pytest.approx(40.0)
    assert low + high == pytest.approx([0.0, 0.0], abs=1e-9)


def test_many_objects_stay_visible_and_inside() -> None:
    placed = arrange(tuple(FORMS)[:12], side=96, rng=np.random.default_rng(5))
    owner = ownership(placed, 96)
    hidden = 0
    for index, item in enumerate(placed, start=1):
        seen = (owner == index).sum()
        hidden += item.mask.sum() - seen
        assert seen >= LEAST_VISIBLE * item.mask.sum()
        assert not item.mask[[0, -1]].any() and not item.mask[:, [0, -1]].any()
    assert hidden > 0


@pytest.mark.parametrize("form", FORMS)
def test_a_box_holds_all_of_an_object_and_little_else(form: str) -> None:
    (item,) = arrange((form,), side=96, rng=np.random.default_rng(2))
    rows, columns = np.nonzero(item.mask)
    # Half a pixel of an edge may be in the box but not in the mask; a sharp tip loses more.
    for covered, bounds in zip((rows, columns), item.box, strict=True):
        assert 0 <= covered.min() - bounds.start <= 3
        assert 0 <= bounds.stop - 1 - covered.max() <= 3
    assert np.array_equal(item.mask[item.box], item.coverage >= 0.5)


def test_a_rectangle_s_coverage_is_its_share_of_each_pixel() -> None:
    corners = np.array([(2.5, 1.0), (6.0, 1.0), (6.0, 3.25), (2.5, 3.25)])
    covered = _coverage([corners], _box(corners, 8))
    assert covered.shape == (3, 4)
    # fillPoly fills the points on the outline too: up to a point more on each side.
    expected = np.array([1.0, 1.0, 0.25])[:, None] * np.array([0.5, 1.0, 1.0, 1.0])
    assert np.abs(covered - expected).max() <= 0.25


def test_later_objects_own_what_they_cover() -> None:
    placed = arrange(("round_disc",) * 3, side=64, rng=np.random.default_rng(0))
    owner = ownership(placed, 64)
    assert np.array_equal(owner == len(placed), placed[-1].mask)
    assert np.array_equal(owner > 0, np.any([item.mask for item in placed], axis=0))
