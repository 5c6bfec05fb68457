import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from soco.proposals.budget import PixelBudget
from soco.proposals.opencv_search import opencv_selective_search

import soco
from soco.config import ImagesConfig, ProposalsConfig
from soco.data import open_source
from soco.proposals import selective_search
from soco.proposals.grouping import group
from soco.proposals.regions import BINS, Regions, neighbours
from soco.proposals.search_stage import search_image


def test_the_last_region_of_a_connected_image_is_all_of_it(photograph):
    rgb = photograph("chelsea_half")
    regions = selective_search(rgb)
    assert regions.dtype == np.int32
    assert regions[:, 4].max() == rgb.shape[0] * rgb.shape[1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 2), (33, 7)])
def test_small_images_give_one_region(shape):
    regions = selective_search(np.full((*shape, 3), 90, np.uint8))
    assert regions.tolist() == [[0, 0, shape[1] - 1, shape[0] - 1, shape[0] * shape[1]]]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 4), np.uint8), ((4, 4, 3), np.float32), ((4, 4, 4), np.uint8), ((0, 4, 3), np.uint8)],
)
def test_other_arrays_are_refused(shape, dtype):
    with pytest.raises(ValueError, match="uint8"):
        selective_search(np.zeros(shape, dtype))


def test_neighbours_need_a_corner_strictly_inside_an_earlier_box():
    bounds = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [5, 5, 15, 15], [6, 6, 8, 8]])
    assert neighbours(bounds).tolist() == [[0, 2], [0, 3], [1, 2], [2, 3]]


def test_neighbours_are_not_symmetric():
    outer, inner = [0, 0, 10, 10], [4, 4, 6, 6]
    assert neighbours(np.array([outer, inner])).tolist() == [[0, 1]]
    assert neighbours(np.array([inner, outer])).tolist() == []


def test_of_equal_similarities_the_last_found_goes_first():
    same = np.zeros((3, BINS))
    same[:, [0, 25]] = 1
    bounds = np.array([[0, 0, 4, 4], [2, 2, 6, 6], [2, 2, 6, 6]])
    regions = group(Regions(bounds, np.array([9, 9, 9]), same), pixels=100)
    # pairs (0, 1), (0, 2); (1, 2) is none, since no corner lies strictly inside an equal box
    assert regions.sizes.tolist() == [9, 9, 9, 18, 27]
    assert regions.bounds[3].tolist() == [0, 0, 6, 6]


def test_threads_find_what_one_finds(photograph):
    images = [photograph("chelsea_half"), photograph("coffee_half")] * 4
    alone = [selective_search(rgb) for rgb in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(selective_search, images))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_an_image_that_is_not_contiguous_is_searched_as_its_copy(photograph):
    rgb = photograph("chelsea_half")[::-1, ::2]
    assert np.array_equal(selective_search(rgb), selective_search(rgb.copy()))


def test_an_image_too_long_for_the_store_is_skipped_with_its_reason(tmp_path):
    Image.new("RGB", (32768, 1)).save(tmp_path / "long.png")
    source = open_source(ImagesConfig(path=str(tmp_path)))
    (entry,) = source.entries()
    assert (
        search_image(entry, source, ProposalsConfig(), max_pixels=None)
        == "longer than 32767 pixels"
    )
    assert "pixels" in search_image(entry, source, ProposalsConfig(), max_pixels=32767)


@pytest.mark.parametrize("mode", ["fast", "quality", "single"])
def test_opencv_finds_boxes_within_the_image(photograph, mode):
    rgb = photograph("chelsea_half")
    regions = opencv_selective_search(rgb, mode)
    assert len(regions) > 20
    assert (regions[:, :2] >= 0).all()
    assert (regions[:, 0] + regions[:, 2]).max() == rgb.shape[1] - 1
    assert np.array_equal(regions, opencv_selective_search(rgb, mode))


def test_large_images_are_searched_one_at_a_time_and_small_ones_together():
    budget, inside, most = PixelBudget(100), [], []

    def hold(pixels):
        with budget.holding(pixels):
            inside.append(pixels)
            most.append(list(inside))
            time.sleep(0.02)
            inside.remove(pixels)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(hold, [30, 30, 30, 500, 30, 80, 30]))
    assert all(sum(held) <= 100 or held == [500] for held in most)
    assert [500] in most and max(map(len, most)) > 1


def test_compiled_code_is_kept_apart_for_each_state_of_the_search(tmp_path):
    """A change in one file must not leave code in use that another file's functions were compiled into."""
    copied = tmp_path / "soco"
    shutil.copytree(
        Path(soco.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__")
    )
    tell = "from soco.proposals import heap; print(heap.__file__, heap.push._cache.cache_path)"

    def told():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        run = subprocess.run(
            [sys.executable, "-c", tell],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=True,
        )
        return run.stdout.split()

    first = told()
    assert first[0].startswith(str(copied))
    assert told() == first
    with (copied / "proposals" / "heap.py").open("a") as heap:
        heap.write("# changed\n")
    assert told()[1] != first[1]
