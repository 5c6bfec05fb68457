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

import soco
from soco.config import ImagesConfig, ProposalsConfig
from soco.data import open_source
from soco.proposals import selective_search
from soco.proposals.engines import opencv_selective_search
from soco.proposals.grouping import group
from soco.proposals.regions import BINS, Regions, neighbours
from soco.proposals.search_stage import PixelBudget, search_image


def test_the_largest_region_is_the_whole_image(photograph):
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


def test_of_equal_similarities_the_last_found_is_merged_first():
    same = np.zeros((3, BINS))
    same[:, [0, 25]] = 1
    bounds = np.array([[0, 0, 4, 4], [2, 2, 6, 6], [2, 2, 6, 6]])
    regions = group(Regions(bounds, np.array([9, 9, 9]), same), pixels=100)
    # The pairs are (0, 1) and (0, 2), not (1, 2): no corner is strictly inside an equal box.
    assert regions.sizes.tolist() == [9, 9, 9, 18, 27]
    assert regions.bounds[3].tolist() == [0, 0, 6, 6]


def test_threads_find_the_same_regions(photograph):
    images = [photograph("chelsea_half"), photograph("coffee_half")] * 4
    alone = [selective_search(rgb) for rgb in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(selective_search, images))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_view_of_an_array_is_searched_like_its_copy(photograph):
    rgb = photograph("chelsea_half")[::-1, ::2]
    assert np.array_equal(selective_search(rgb), selective_search(rgb.copy()))


def test_an_image_too_long_for_the_store_is_skipped(tmp_path):
    Image.new("RGB", (32768, 1)).save(tmp_path / "long.png")
    source = open_source(ImagesConfig(path=str(tmp_path)))
    (entry,) = source.entries()
    reason = search_image(entry, source, ProposalsConfig(), max_pixels=None)
    assert reason == "longer than 32767 pixels"
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
    budget, inside, seen = PixelBudget(100), [], []

    def reserve(pixels):
        with budget.reserve(pixels):
            inside.append(pixels)
            seen.append(list(inside))
            time.sleep(0.02)
            inside.remove(pixels)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(reserve, [30, 30, 30, 500, 30, 80, 30]))
    assert all(sum(together) <= 100 or together == [500] for together in seen)
    assert [500] in seen and max(map(len, seen)) > 1


def test_a_change_to_any_file_of_a_folder_recompiles_its_loops(tmp_path):
    """Compiled code must not outlive a change to a file whose functions are inlined in it."""
    copied = tmp_path / "soco"
    shutil.copytree(
        Path(soco.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__")
    )
    code = "from soco.proposals import grouping as g; print(g.__file__, g._push._cache.cache_path)"

    def file_and_cache():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=True,
        )
        return run.stdout.split()

    first = file_and_cache()
    assert first[0].startswith(str(copied))
    assert file_and_cache() == first
    with (copied / "proposals" / "regions.py").open("a") as regions:
        regions.write("# changed\n")
    assert file_and_cache()[1] != first[1]
