"""A mask as polygons, from which COCO's tools get exactly this mask back.

pycocotools has no polygons from masks, and the contours of cv2 run through pixel centres, which
loses half a pixel. These polygons run along the edges between pixels. A hole is joined to its
region's outline by a cut in both directions, which encloses nothing, so that one list of numbers
holds a region with its holes, as both formats require.
"""

import cv2
import numpy as np

Point = tuple[int, int]
Steps = dict[tuple[Point, Point], None]  # a set that keeps its order


def polygons_of(mask: np.ndarray) -> list[list[int]]:
    """The polygons of a mask.

    Args:
        mask: bool (height, width).

    Returns:
        One flat list x1, y1, x2, y2, ... for each 4-connected region, in pixels; pixel (0, 0) spans
        0 to 1.
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return [_polygon(labels == label) for label in range(1, count)]


def _polygon(region: np.ndarray) -> list[int]:
    # The outline encloses every hole, so its area is the largest.
    outer, *holes = sorted(_loops(region), key=lambda loop: -abs(_twice_area(loop)))
    points = [*outer, outer[0]] if holes else outer
    for hole in holes:
        # Along the cut from the outline's first corner, around the hole, and back.
        points = [*points, *hole, hole[0], outer[0]]
    return [value for point in points for value in point]


def _loops(region: np.ndarray) -> list[list[Point]]:
    """The corners of each closed walk along the region's edge, with the region on its right."""
    steps = _steps(region)
    loops = []
    while steps:
        (here, heading), loop = next(iter(steps)), []
        while (here, heading) in steps:
            del steps[here, heading]
            here = (here[0] + heading[0], here[1] + heading[1])
            before, heading = heading, _next_heading(here, heading, steps)
            if heading != before:
                loop.append(here)
        loops.append(loop)
    return loops


def _steps(region: np.ndarray) -> Steps:
    """The pixel edges of the region as start and direction, clockwise around each pixel."""
    padded = np.pad(region, 1)
    inside = padded[1:-1, 1:-1]
    # For each side of a pixel: the neighbour, where the walk along that side starts, its direction.
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    steps: Steps = {}
    for neighbour, (right, down), heading in sides:
        for row, column in np.argwhere(inside & ~neighbour).tolist():
            steps[(column + right, row + down), heading] = None
    return steps


def _next_heading(here: Point, heading: Point, steps: Steps) -> Point:
    """The next direction of a walk; where two pixels touch at a corner, it keeps to its own."""
    x, y = heading
    # Right, straight on, left, as y points down.
    for turned in ((-y, x), (x, y), (y, -x)):
        if (here, turned) in steps:
            return turned
    return (0, 0)  # no step is left: the walk is closed


def _twice_area(loop: list[Point]) -> int:
    pairs = zip(loop, [*loop[1:], loop[0]], strict=True)
    # The shoelace formula.
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)
