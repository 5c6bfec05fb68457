"""The closed forms against an enumeration of all draws."""

import itertools
import math

import numpy as np
import pytest

from soco.proposals.boxes import pairwise_iou
from soco.proposals.quality.expected_recall import expected_recall, miss_probabilities


@pytest.mark.parametrize(("boxes", "drawn"), [(1, 1), (5, 1), (6, 2), (7, 4), (8, 8), (6, 9)])
def test_the_expectation_is_the_mean_over_all_subsets(boxes, drawn):
    # Rounded, so that some overlaps are equal.
    overlaps = np.random.default_rng(boxes).uniform(size=(3, boxes)).round(1)
    subsets = [list(chosen) for chosen in itertools.combinations(range(boxes), min(drawn, boxes))]
    best = np.mean([overlaps[:, chosen].max(axis=1) for chosen in subsets], axis=0)
    shares = [
        np.mean([overlaps[:, chosen].max(axis=1) >= t for chosen in subsets], axis=0)
        for t in (0.3, 0.7)
    ]
    expected = expected_recall(overlaps, [drawn], (0.3, 0.7))
    np.testing.assert_allclose(expected.best[0], best, rtol=1e-12)
    np.testing.assert_allclose(expected.found[0], shares, atol=1e-12)


def test_many_boxes_lose_no_digits():
    table = miss_probabilities(20_000, 1000)
    for hits in (1, 7, 300, 19_000, 19_001, 20_000):
        exact = math.comb(20_000 - hits, 1000) / math.comb(20_000, 1000)
        assert table[hits] == pytest.approx(exact, rel=1e-9)


def test_more_boxes_never_lower_the_expectation():
    overlaps = np.random.default_rng(1).uniform(size=(4, 50))
    expected = expected_recall(overlaps, [1, 4, 10, 50, 1000], (0.5,))
    assert (np.diff(expected.best, axis=0) >= -1e-12).all()
    assert (np.diff(expected.found, axis=0) >= -1e-12).all()
    np.testing.assert_allclose(expected.best[3], overlaps.max(axis=1))
    np.testing.assert_array_equal(expected.best[3], expected.best[4])


def test_the_iou_of_known_boxes():
    objects = np.array([[0.0, 0, 10, 10], [20.5, 0, 30.5, 20]])
    boxes = np.array(
        [[0, 0, 10, 10], [5, 0, 15, 10], [20.5, 5, 30.5, 10], [40, 40, 50, 50], [5, 5, 4, 9]],
        np.float32,
    )
    expected = [[1, 1 / 3, 0, 0, 0], [0, 0, 0.25, 0, 0]]
    np.testing.assert_allclose(pairwise_iou(objects, boxes), expected)
