"""Plots of the quality of proposals, at the edges of what can be measured."""

import base64

import numpy as np
import pytest

from soco.proposals.quality.histogram import Histogram, integer_histogram
from soco.report.quality_figures import recall_figure, shape_figure, without_figure


def svg_of(image):
    return base64.b64decode(image.uri.split(",", 1)[1]).decode()


@pytest.fixture
def empty():
    """Statistics of one image in which nothing was found."""
    none = {
        "boxes": 0,
        "per_image": integer_histogram(np.array([0])),
        "relative_size": Histogram(0, 1, 5).as_json(),
        "aspect_ratio": Histogram(1, 2, 5).as_json(),
    }
    steps = [{"after": "ratio3", "images": 1, "share": 1.0}]
    return {"images": 1, "regions": none, "proposals": none, "without_proposals": steps}


def test_a_run_without_boxes_is_drawn(empty):
    assert svg_of(shape_figure(empty)).startswith("<svg")
    assert "100.0 % (1) after ratio3" in without_figure(empty).alt


def test_every_engine_has_a_line_of_its_own():
    engines = ("soco", "opencv_fast", "opencv_quality", "opencv_single")
    values = {"drawn": [0.1, 0.2], "all": 0.3}
    kinds = dict.fromkeys(("recall_50", "recall_70", "abo"), values)
    entries = [{"engine": engine, "proposals": kinds} for engine in engines]
    image = recall_figure({"dataset": "a$b$", "drawn": [1, 4], "engines": entries})
    svg = svg_of(image)
    assert all(engine in svg for engine in engines)
    assert "currentColor" in svg and "opencv_single 0.10 to 0.30" in image.alt
    assert svg == svg_of(recall_figure({"dataset": "a$b$", "drawn": [1, 4], "engines": entries}))
