"""Selective search of a 500 x 375 photograph: ours beside scikit-image's Felzenszwalb alone and OpenCV's modes.

Prints the median seconds of one core of each, and the ratio to the Felzenszwalb of the same run.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from skimage import data
from skimage.segmentation import felzenszwalb
from skimage.util import img_as_float

from soco.proposals import selective_search
from soco.proposals.opencv_search import opencv_selective_search

REPEATS = 5


def median_seconds(task: Callable[[], object]) -> float:
    """Median of a few runs, after one that warms caches."""
    task()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Time each engine on three photographs."""
    cv2.setNumThreads(1)
    print(f"{'photograph':<12}{'engine':<26}{'seconds':>8}{'of Felzenszwalb':>17}{'regions':>9}")
    for name in ("coffee", "chelsea", "astronaut"):
        rgb: np.ndarray = cv2.resize(getattr(data, name)(), (500, 375), interpolation=cv2.INTER_AREA)
        base = median_seconds(partial(felzenszwalb, img_as_float(rgb), scale=300, sigma=0.9, min_size=100))
        print(f"{name:<12}{'Felzenszwalb alone':<26}{base:8.3f}{1.0:17.2f}{'':>9}")
        engines: dict[str, Callable[[], np.ndarray]] = {
            "soco": partial(selective_search, rgb),
            "opencv single": partial(opencv_selective_search, rgb, "single"),
            "opencv fast": partial(opencv_selective_search, rgb, "fast"),
        }
        for engine, search in engines.items():
            seconds = median_seconds(search)
            print(f"{name:<12}{engine:<26}{seconds:8.3f}{seconds / base:17.2f}{len(search()):9d}")


if __name__ == "__main__":
    main()
