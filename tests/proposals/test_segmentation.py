"""Each step of the search against the library that the authors' program calls."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.feature import local_binary_pattern
from skimage.segmentation import felzenszwalb
from skimage.util import img_as_float

from soco.proposals.blur import blur
from soco.proposals.edges import edge_cost, make_edges, pixels_of_edge, sort_edges, sort_ties
from soco.proposals.regions import describe_segments
from soco.proposals.segmentation import segment
from soco.proposals.texture import texture_patterns


@pytest.fixture(
    params=[
        "photograph",
        "turned",
        "noise",
        "two colours",
        "ramp",
        "stripes",
        "one row",
        "one column",
        "2 x 3",
    ]
)
def image(request, photograph):
    """Images that test the loops at borders and ties."""
    rng = np.random.default_rng(1)
    made = {
        "photograph": lambda: photograph("chelsea_half"),
        "turned": lambda: np.ascontiguousarray(
            photograph("coffee_half").transpose(1, 0, 2)[:, 40:101]
        ),
        "noise": lambda: rng.integers(0, 256, (61, 83, 3), np.uint8),
        "two colours": lambda: np.repeat(
            np.repeat(rng.integers(0, 256, (1, 2, 3), np.uint8), 40, 0), 30, 1
        ),
        "ramp": lambda: np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2).repeat(
            256, 0
        ),
        "stripes": lambda: np.repeat(
            np.tile(np.array([[[9] * 3], [[200] * 3]], np.uint8), (20, 1, 1)), 50, 1
        ),
        "one row": lambda: rng.integers(0, 256, (1, 40, 3), np.uint8),
        "one column": lambda: rng.integers(0, 256, (40, 1, 3), np.uint8),
        "2 x 3": lambda: rng.integers(0, 256, (2, 3, 3), np.uint8),
    }
    return made[request.param]()


@pytest.mark.parametrize("sigma", [0.0, 0.4, 0.9, 3.0])
def test_the_blur_equals_scipys_bit_for_bit(image, sigma):
    expected = gaussian_filter(img_as_float(image), [sigma, sigma, 0], mode="reflect")
    assert np.array_equal(blur(image, sigma).reshape(image.shape), expected)


def test_edges_are_sorted_by_their_exact_costs(image):
    blurred = blur(image, 0.9)
    colours, width = blurred.ravel(), image.shape[1]
    made = make_edges(blurred)
    edges = sort_edges(made.copy())
    sort_ties(edges, colours, width)
    assert np.array_equal(np.sort(edges), np.sort(made))
    costs = [edge_cost(colours, *pixels_of_edge(edge, width)) for edge in edges.tolist()]
    assert all(a <= b for a, b in itertools.pairwise(costs))


@pytest.mark.parametrize(("scale", "min_size"), [(300, 100), (300, 1), (20, 5), (1000, 30)])
def test_segments_equal_scikit_images(photograph, scale, min_size):
    rgb = photograph("chelsea_half")
    labels, count = segment(rgb, scale, 0.9, min_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = felzenszwalb(
            img_as_float(rgb), scale=scale, sigma=0.9, min_size=min_size
        ).ravel()
    pairs = np.unique(np.column_stack([labels, expected]), axis=0)
    assert len(pairs) == count == len(np.unique(expected))


def test_segments_are_numbered_by_first_appearance(photograph):
    labels, count = segment(photograph("coffee_half"), 300, 0.9, 100)
    seen, first = np.unique(labels, return_index=True)
    assert seen.tolist() == list(range(count))
    assert (np.diff(first) > 0).all()


def test_patterns_equal_scikit_images_bit_for_bit(image):
    expected = [
        local_binary_pattern(np.ascontiguousarray(image[..., channel]), 8, 1.0)
        for channel in range(3)
    ]
    assert np.array_equal(texture_patterns(image), np.stack(expected, axis=2).astype(np.uint8))


def test_segments_are_measured(photograph):
    rgb = photograph("coffee_half")
    labels, count = segment(rgb, 300, 0.9, 100)
    regions = describe_segments(rgb, labels, count)
    flat = labels.reshape(rgb.shape[:2])
    for label in (0, count // 2, count - 1):
        rows, columns = np.nonzero(flat == label)
        bounds = [columns.min(), rows.min(), columns.max(), rows.max()]
        assert regions.bounds[label].tolist() == bounds
        assert regions.sizes[label] == len(rows)
        value = np.histogram(rgb.max(axis=2)[flat == label], 25, (0, 255))[0] / len(rows)
        assert np.array_equal(regions.histograms[label, :25], value)
        assert np.allclose(regions.histograms[label, 25:].reshape(3, 10).sum(axis=1), 1)
