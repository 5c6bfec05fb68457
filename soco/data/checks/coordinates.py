"""Check the unit and the order of a split's coordinates.

Boxes are compared with their masks, and the extent of all of them with their images: a single
object proves nothing, but a whole split does.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from soco.data.checks.boxes import corners_of, near
from soco.data.checks.findings import Findings
from soco.data.checks.run_lengths import Box

_ROUNDING = 0.001
_UNIT = 1 + _ROUNDING  # the largest coordinate of an object in fractions of the image
_SMALLEST_SIDE = 8  # on smaller images, an object within the first pixel is no surprise
_MOST_UNIT = 0.1  # share of objects with decimals from 0 to 1 above which a split is refused
_ENOUGH = 10  # a pattern in this many objects, places or images is not chance
_MOST_REACH = 0.52  # of the image; coordinates of copies at half the size reach 0.5
_FAR_BEYOND = 1.1  # sides of the image that an object reaches to count as far beyond it
_MOST_BEYOND = 0.1  # share of objects far beyond the image above which a split gets a note


@dataclass(frozen=True)
class _Reading:
    """Another way to read the four numbers of a box, or the corners of a mask.

    Attributes:
        name: What the four numbers would be.
        remedy: What to do about it.
        corners: Makes x1, y1, x2, y2 of the four numbers.
        whole: What the image's width and height are in this unit; None: pixels.
    """

    name: str
    remedy: str
    corners: Callable[[float, float, float, float], Box]
    whole: int | None = None

    def read(self, numbers: Box, size: tuple[int, int]) -> Box:
        """The corners in pixels, on an image of this width and height."""
        x1, y1, x2, y2 = self.corners(*numbers)
        if self.whole is None:
            return x1, y1, x2, y2
        (width, height), whole = size, self.whole
        return x1 * width / whole, y1 * height / whole, x2 * width / whole, y2 * height / whole


def _unchanged(x1: float, y1: float, x2: float, y2: float) -> Box:
    return x1, y1, x2, y2


def _from_size(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def _from_centre(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


_CONVERT = "COCO's are x, y, width, height: convert them"
_CENTRE = "COCO's x and y are the upper left corner: subtract half the width and half the height"
_SCALE_BOX = "multiply x and width by the image's width, y and height by its height"
_SCALE_MASK = "multiply each x by the image's width and each y by its height"

_BOXES = (
    _Reading("x1, y1, x2, y2", _CONVERT, _unchanged),
    _Reading("fractions of the image", _SCALE_BOX, _from_size, 1),
    _Reading("percent of the image", f"{_SCALE_BOX}, and divide by 100", _from_size, 100),
    _Reading(
        "x1, y1, x2, y2 in fractions of the image", f"{_SCALE_BOX}; {_CONVERT}", _unchanged, 1
    ),
    _Reading("centre x, centre y, width, height", _CENTRE, _from_centre),
    _Reading(
        "centre x, centre y, width, height in fractions of the image",
        f"{_SCALE_BOX}; {_CENTRE}",
        _from_centre,
        1,
    ),
    _Reading("y, x, height, width", _CONVERT, lambda y, x, h, w: (x, y, x + w, y + h)),
)
_MASKS = (
    _Reading("fractions of the image", _SCALE_MASK, _unchanged, 1),
    _Reading("percent of the image", f"{_SCALE_MASK}, and divide by 100", _unchanged, 100),
    _Reading(
        "y before x", "COCO's are x1, y1, x2, y2, ...", lambda y1, x1, y2, x2: (x1, y1, x2, y2)
    ),
)


class Coordinates:
    """Collects where boxes and masks are, and judges the split once it has seen all objects."""

    def __init__(self) -> None:
        self._compared = 0
        self._fitting: dict[_Reading, list[Any]] = defaultdict(list)
        self._labels: list[Any] = []
        self._images: set[int] = set()
        self._places: set[tuple[float, ...]] = set()
        self._unit: list[Any] = []
        self._fractional = 0
        self._beyond: list[Any] = []
        self._reach = [0.0, 0.0]
        self._farthest = [0.0, 0.0]

    def add(
        self, image: int, box: Any, extent: Box | None, size: tuple[int, int], label: Any
    ) -> None:
        """Look at one object.

        Args:
            image: The id of its image.
            box: Its `bbox` as the file has it.
            extent: x1, y1, x2, y2 of its mask as the file has it, even outside the image.
            size: Width and height of its image.
            label: Its id, for the sentence.
        """
        corners = corners_of(box)
        values = (*(corners or ()), *(extent or ()))
        if not values:
            return
        self._labels.append(label)
        self._images.add(image)
        if corners and extent:
            self._compare(box, corners, extent, size, label)
        if max(values) <= _UNIT and min(values) >= -_ROUNDING and min(size) >= _SMALLEST_SIDE:
            self._unit.append(label)
            self._fractional += any(value != int(value) for value in values)
        reached = max(values[2::4]), max(values[3::4])
        if reached[0] > _FAR_BEYOND * size[0] or reached[1] > _FAR_BEYOND * size[1]:
            self._beyond.append(label)
        if len(self._places) < _ENOUGH:
            self._places.add(reached)
        for axis in (0, 1):
            self._reach[axis] = max(self._reach[axis], reached[axis] / size[axis])
            self._farthest[axis] = max(self._farthest[axis], reached[axis])

    def judge(self, findings: Findings) -> None:
        """Refuse coordinates that are not pixels in COCO's order; note those that may not be."""
        for readings, code in (
            (_BOXES, "coordinates.boxes_misread"),
            (_MASKS, "coordinates.masks_misread"),
        ):
            for reading in readings:
                labels = self._fitting[reading]
                if len(labels) > self._compared / 2:
                    findings.add(
                        code,
                        labels,
                        total=self._compared,
                        reading=reading.name,
                        remedy=reading.remedy,
                    )
                    return
        count = len(self._labels)
        mostly_unit = len(self._unit) > count / 2 and count >= _ENOUGH
        if self._fractional > _MOST_UNIT * count or mostly_unit:
            findings.add("coordinates.fractions", self._unit, total=count)
            return
        findings.add("coordinates.first_pixel", self._unit, total=count)
        self._note_scale(findings)

    def _compare(
        self, box: list[float], corners: Box, extent: Box, size: tuple[int, int], label: Any
    ) -> None:
        self._compared += 1
        inside = (
            max(extent[0], 0),
            max(extent[1], 0),
            min(extent[2], size[0]),
            min(extent[3], size[1]),
        )
        if near(corners, inside) or near(corners, extent):
            return
        numbers = box[0], box[1], box[2], box[3]
        for reading in _BOXES:
            if near(reading.read(numbers, size), inside):
                self._fitting[reading].append(label)
        for reading in _MASKS:
            if near(reading.read(extent, size), corners):
                self._fitting[reading].append(label)

    def _note_scale(self, findings: Findings) -> None:
        """Note coordinates that seem to belong to larger or smaller copies of the images."""
        width, height = self._reach
        if len(self._beyond) > _MOST_BEYOND * len(self._labels):
            findings.add(
                "coordinates.far_beyond",
                self._beyond,
                total=len(self._labels),
                width=width,
                height=height,
            )
        varied = min(len(self._places), len(self._images)) >= _ENOUGH
        percent = all(80 < farthest <= 100 for farthest in self._farthest)
        alike = 0.75 * max(width, height) <= min(width, height)
        if max(width, height) <= _MOST_REACH and varied and (percent or alike):
            findings.add("coordinates.upper_left", self._labels, width=width, height=height)
