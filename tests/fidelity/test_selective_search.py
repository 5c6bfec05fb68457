from collections import Counter

import numpy as np
import pytest
from PIL import Image

from soco.proposals import Strategy, filter_mask, selective_search


def read(path):
    return np.array(Image.open(path).convert("RGB"))


@pytest.fixture(scope="session")
def regions(golden, golden_folder):
    """Our regions of every golden image."""
    content = golden("selective_search")
    parameters = content["parameters"]
    return {
        name: selective_search(read(golden_folder / "images" / f"{name}.png"), **parameters)
        for name in content["images"]
    }


def agreeing(ours, theirs):
    return (Counter(map(tuple, ours)) & Counter(map(tuple, theirs))).total()


def test_regions_are_the_authors(golden, regions):
    images = golden("selective_search")["images"]
    exact = 0
    for name, image in images.items():
        ours, theirs = regions[name].tolist(), image["regions"]
        assert agreeing(ours, theirs) >= 0.98 * max(len(ours), len(theirs)), name
        exact += agreeing(ours, theirs) == len(ours) == len(theirs)
    assert exact >= 0.9 * len(images)


def test_regions_of_our_own_photographs_come_in_the_authors_order(
    golden, golden_folder, repository, regions
):
    if golden_folder != repository / "tests" / "golden":
        pytest.skip("equal similarities may be ordered otherwise on other photographs")
    for name, image in golden("selective_search")["images"].items():
        assert regions[name].tolist() == image["regions"], name


def test_filters_keep_what_the_authors_keep(golden):
    for name, image in golden("selective_search")["images"].items():
        rects = np.array(image["regions"])[:, :4]
        for strategy, kept in image["filter"].items():
            ours = rects[
                filter_mask(rects, (image["width"], image["height"]), Strategy.parse(strategy))
            ]
            assert Counter(map(tuple, ours.tolist())) == Counter(map(tuple, kept)), (name, strategy)
