"""Compare selective search with scikit-image's Felzenszwalb and OpenCV's modes on one core.

Prints the best seconds of each on photographs of 500 x 375 and of 2000 x 1500, the ratio to
Felzenszwalb, the time of each step, the speed-up of two threads or processes, and the memory of a
search.
"""

import argparse
import io
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Numerical libraries must use one core while they are timed.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import cv2
import joblib
import numpy as np
from PIL import Image
from skimage import data
from skimage.segmentation import felzenszwalb
from skimage.util import img_as_float

from soco.data import decode_rgb
from soco.proposals import selective_search
from soco.proposals.blur import blur
from soco.proposals.edges import make_edges, sort_edges, sort_ties
from soco.proposals.engines import opencv_selective_search
from soco.proposals.grouping import group
from soco.proposals.regions import describe_segments
from soco.proposals.segmentation import join_pixels

NAMES = ("coffee", "chelsea", "astronaut")
SMALL, LARGE = (500, 375), (2000, 1500)
SCALE, SIGMA, MIN_SIZE = 300.0, 0.9, 100


def best_seconds(task: Callable[[], object], repeats: int) -> float:
    """The time of the fastest of a few runs, after one that compiles and warms caches."""
    task()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def photograph(name: str, size: tuple[int, int]) -> np.ndarray:
    """One of scikit-image's photographs at the given width and height."""
    shrinks = size == SMALL
    return cv2.resize(
        getattr(data, name)(), size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )


def compare_engines(size: tuple[int, int], repeats: int, opencv: bool) -> None:
    """Print a line for each engine and photograph."""
    print(
        f"\n{size[0]} x {size[1]}:"
        f" {'engine':<22}{'seconds':>9}{'of Felzenszwalb':>17}{'regions':>9}"
    )
    for name in NAMES:
        rgb = photograph(name, size)
        base = best_seconds(
            partial(felzenszwalb, img_as_float(rgb), scale=SCALE, sigma=SIGMA, min_size=MIN_SIZE),
            repeats,
        )
        print(f"{name:<12}{'Felzenszwalb alone':<22}{base:9.4f}{1.0:17.2f}")
        engines: dict[str, Callable[[], np.ndarray]] = {"soco": partial(selective_search, rgb)}
        if opencv:
            engines |= {
                f"opencv {mode}": partial(opencv_selective_search, rgb, mode)
                for mode in ("single", "fast")
            }
        for engine, search in engines.items():
            seconds = best_seconds(search, repeats)
            print(f"{name:<12}{engine:<22}{seconds:9.4f}{seconds / base:17.2f}{len(search()):9d}")


def steps(rgb: np.ndarray, repeats: int) -> dict[str, float]:
    """Seconds of each step of the search of one image."""
    encoded = io.BytesIO()
    Image.fromarray(rgb).save(encoded, "jpeg", quality=90)
    blurred = blur(rgb, SIGMA)
    colours, width = blurred.ravel(), rgb.shape[1]
    made = make_edges(blurred)
    by_key = sort_edges(made.copy())
    edges = by_key.copy()
    sort_ties(edges, colours, width)
    labels, count = join_pixels(edges.copy(), colours, width, SCALE / 255.0, MIN_SIZE)
    regions = describe_segments(rgb, labels, count)
    copying = best_seconds(made.copy, repeats)
    return {
        "decode": best_seconds(partial(decode_rgb, encoded.getvalue()), repeats),
        "blur": best_seconds(partial(blur, rgb, SIGMA), repeats),
        "edges": best_seconds(partial(make_edges, blurred), repeats),
        "sort": best_seconds(lambda: sort_edges(made.copy()), repeats)
        + best_seconds(lambda: sort_ties(by_key.copy(), colours, width), repeats)
        - 2 * copying,
        "union": best_seconds(
            lambda: join_pixels(edges.copy(), colours, width, SCALE / 255.0, MIN_SIZE), repeats
        )
        - copying,
        "features": best_seconds(partial(describe_segments, rgb, labels, count), repeats),
        "merging": best_seconds(partial(group, regions, labels.size), repeats),
    }


def print_steps(size: tuple[int, int], repeats: int) -> None:
    """Print the time of each step for one photograph."""
    of_step = steps(photograph("coffee", size), repeats)
    print(f"\ncoffee, {size[0]} x {size[1]}: milliseconds of each step")
    print("  ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in of_step.items()))


def search_all(queue: list[np.ndarray], jobs: int, backend: str) -> None:
    """Search every image of a queue."""
    joblib.Parallel(n_jobs=jobs, backend=backend)(
        joblib.delayed(selective_search)(rgb) for rgb in queue
    )


def print_spread(images: int, rounds: int) -> None:
    """Print the speed-up of two threads and of two processes, the best of interleaved rounds."""
    queue = [photograph(NAMES[number % len(NAMES)], SMALL) for number in range(images)]
    ways = ((1, "threading"), (2, "threading"), (2, "loky"))
    seconds = [
        [best_seconds(partial(search_all, queue, *way), 1) for way in ways] for _ in range(rounds)
    ]
    one, threads, processes = np.min(seconds, axis=0)
    print(f"\n{images} images of 500 x 375: one thread {one:.2f} s", end="")
    print(f", two threads {one / threads:.2f} times, two processes {one / processes:.2f} times")


def peak_kilobytes() -> int:
    """The peak memory of this process."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def added_bytes(size: tuple[int, int]) -> float:
    """Bytes per pixel that one search adds to this process's peak memory."""
    rgb = photograph("coffee", size)
    selective_search(rgb[:48, :64])
    before = peak_kilobytes()
    selective_search(rgb)
    return 1024 * (peak_kilobytes() - before) / (size[0] * size[1])


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs, of which the fastest counts")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    compare_engines(SMALL, repeats, opencv=True)
    compare_engines(LARGE, max(1, repeats // 3), opencv=False)
    print_steps(SMALL, repeats)
    print_steps(LARGE, max(1, repeats // 3))
    print_spread(48, repeats)
    print("\nmemory of a search, bytes per pixel:", end="")
    for size in (LARGE, (4000, 3000)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(f"  {size[0]} x {size[1]}: {pool.apply(added_bytes, (size,)):.0f}", end="")
    print()


if __name__ == "__main__":
    main()
