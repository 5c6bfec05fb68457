"""In which unit and order a half's coordinates are.

By how boxes fit their masks, and where all of them lie.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from soco.data.checks.boxes import corners_of, near
from soco.data.checks.findings import Findings
from soco.data.checks.run_lengths import Box


@dataclass(frozen=True)
class _Reading:
    """Another way to read a box, or the corners of a mask.

    Attributes:
        what: How it has to be read.
        then: What to do about it.
        corners: Makes x1, y1, x2, y2 in pixels of four numbers and the image's width and height.
    """

    what: str
    then: str
    corners: Callable[[float, float, float, float, int, int], Box]


_MULTIPLY = "multiply x and width by the image's width, y and height by its height"
_CENTRE = (
    "COCO's begin at the upper left corner: take half the width from x and half the height from y"
)
_CORNERS = "COCO's are x, y, width, height: convert them"

_BOXES = (
    _Reading("x1, y1, x2, y2", _CORNERS, lambda x, y, w, h, *_: (x, y, w, h)),
    _Reading(
        "shares of the image",
        _MULTIPLY,
        lambda x, y, w, h, W, H: (x * W, y * H, (x + w) * W, (y + h) * H),
    ),
    _Reading(
        "percent of the image",
        f"{_MULTIPLY}, and divide by 100",
        lambda x, y, w, h, W, H: (x * W / 100, y * H / 100, (x + w) * W / 100, (y + h) * H / 100),
    ),
    _Reading(
        "x1, y1, x2, y2 in shares of the image",
        f"{_MULTIPLY}; {_CORNERS}",
        lambda x, y, w, h, W, H: (x * W, y * H, w * W, h * H),
    ),
    _Reading(
        "the centre's x and y, width, height",
        _CENTRE,
        lambda x, y, w, h, *_: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
    ),
    _Reading(
        "the centre's x and y, width, height in shares of the image",
        f"{_MULTIPLY}; {_CENTRE}",
        lambda x, y, w, h, W, H: (
            (x - w / 2) * W,
            (y - h / 2) * H,
            (x + w / 2) * W,
            (y + h / 2) * H,
        ),
    ),
    _Reading("y, x, height, width", _CORNERS, lambda x, y, w, h, *_: (y, x, y + h, x + w)),
)
_MASKS = (
    _Reading(
        "shares of the image",
        "multiply each x by the image's width and each y by its height",
        lambda x1, y1, x2, y2, W, H: (x1 * W, y1 * H, x2 * W, y2 * H),
    ),
    _Reading(
        "percent of the image",
        "multiply each x by the image's width and each y by its height, and divide by 100",
        lambda x1, y1, x2, y2, W, H: (x1 * W / 100, y1 * H / 100, x2 * W / 100, y2 * H / 100),
    ),
    _Reading(
        "y before x", "COCO's are x1, y1, x2, y2, ...", lambda x1, y1, x2, y2, *_: (y1, x1, y2, x2)
    ),
)

_ROUNDING = 0.001
_UNIT = 1 + _ROUNDING
_SMALLEST_SIDE = 8
_MOST_UNIT = 0.1
_ENOUGH = 10
_MOST_REACH = 0.52
_FAR_BEYOND = 1.1
_MOST_BEYOND = 0.1


class Coordinates:
    """Collects how the objects' boxes and masks lie.

    Judges when all are seen, since one object proves nothing.
    """

    def __init__(self) -> None:
        self._compared = 0
        self._fitting: dict[str, dict[str, list[Any]]] = {
            "Boxes": defaultdict(list),
            "Masks": defaultdict(list),
        }
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
            image: Its image's id.
            box: Its `bbox` as the file has it.
            extent: x1, y1, x2, y2 of its mask as the file has it, also where that lies outside the
                image.
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
        """Refuse coordinates that are no pixels or in another order.

        Note those that are perhaps not.
        """
        for readings, what, other in ((_BOXES, "Boxes", "masks"), (_MASKS, "Masks", "boxes")):
            for reading in readings:
                labels = self._fitting[what][reading.what]
                if len(labels) > self._compared / 2:
                    sentence = (
                        f"{what}, of {self._compared}, that fit their {other} only as"
                        f" {reading.what}"
                    )
                    findings.add("refused", sentence, labels, reading.then)
                    return
        count = len(self._labels)
        if self._fractional > _MOST_UNIT * count or (
            len(self._unit) > count / 2 and count >= _ENOUGH
        ):
            what = f"Objects, of {count}, whose coordinates are all from 0 to 1"
            then = (
                "they are shares of the image, and COCO's are pixels: multiply by its width and"
                " height"
            )
            findings.add("refused", what, self._unit, then)
            return
        then = (
            "right only if they are that small: shares of the image must be multiplied by its width"
            " and height"
        )
        findings.add(
            "noted", f"Objects, of {count}, within the first pixel of their image", self._unit, then
        )
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
        for reading in _BOXES:
            if near(reading.corners(box[0], box[1], box[2], box[3], *size), inside):
                self._fitting["Boxes"][reading.what].append(label)
        for reading in _MASKS:
            if near(reading.corners(*extent, *size), corners):
                self._fitting["Masks"][reading.what].append(label)

    def _note_scale(self, findings: Findings) -> None:
        """Note coordinates that seem to be of larger copies of the images, or of smaller ones."""
        width, height = self._reach
        if len(self._beyond) > _MOST_BEYOND * len(self._labels):
            what = f"Objects, of {len(self._labels)}, that reach far beyond their images"
            then = f"up to {width:.1f} times the width and {height:.1f} times the height: "
            then += "if the coordinates are percent or of larger copies of the images, scale them"
            findings.add("noted", what, self._beyond, then)
        small = (
            max(self._reach) <= _MOST_REACH and min(len(self._places), len(self._images)) >= _ENOUGH
        )
        percent = all(80 < farthest <= 100 for farthest in self._farthest)
        if small and (percent or _alike(*self._reach)):
            what = (
                f"Objects within the first {width:.0%} of the width and {height:.0%} of the height"
                " of their images"
            )
            then = (
                "all of them are: if the coordinates are percent or of smaller copies of the"
                " images, scale them"
            )
            findings.add("noted", what, self._labels, then)


def _alike(one: float, other: float) -> bool:
    return 0.75 * max(one, other) <= min(one, other)
