"""What a random draw of k boxes is worth on average, in closed form: no chance, and no seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Overlaps = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Worth:
    """Expectations over a draw, for K numbers of boxes drawn, T thresholds and G objects.

    Attributes:
        found: (K, T, G) probability that a drawn box overlaps the object by at least the threshold.
        best: (K, G) expected best overlap of a drawn box with the object.
    """

    found: npt.NDArray[np.float64]
    best: npt.NDArray[np.float64]


def missed(boxes: int, drawn: int) -> npt.NDArray[np.float64]:
    """The probability that none of m given boxes is among those drawn.

    Of R boxes k are drawn without replacement, each set of k being as likely as any other. Then

        P(none of m) = C(R - m, k) / C(R, k) = product over j < m of (R - k - j) / (R - j).

    The product has no large numbers to cancel, so it needs no logarithms of factorials.

    Args:
        boxes: R, at least one.
        drawn: k, at least one; all are drawn where it exceeds R.

    Returns:
        (R + 1,) for m from 0 to R.
    """
    before = np.arange(boxes)
    factors = np.maximum(boxes - min(drawn, boxes) - before, 0) / (boxes - before)
    return np.concatenate([[1.0], np.cumprod(factors)])


def expected_recall(overlaps: Overlaps, drawn: Sequence[int], thresholds: Sequence[float]) -> Worth:
    """Expected recall and expected best overlap of k boxes drawn without replacement.

    With m of the R boxes at IoU >= t, an object is found with probability 1 - C(R - m, k) / C(R,
    k). With the overlaps sorted, o_1 >= o_2 >= ..., the best drawn is o_i when none of the first i
    - 1 is drawn and the i-th is:

        E(best) = sum over i of o_i (C(R - i + 1, k) - C(R - i, k)) / C(R, k).

    Args:
        overlaps: (G, R) IoU of each object with each box, at least one box.
        drawn: The K numbers k.
        thresholds: The T thresholds t.
    """
    table = np.stack([missed(overlaps.shape[1], k) for k in drawn])
    hits = np.stack([(overlaps >= threshold).sum(axis=1) for threshold in thresholds])
    falling = -np.sort(-overlaps, axis=1)
    return Worth(found=1.0 - table[:, hits], best=(table[:, :-1] - table[:, 1:]) @ falling.T)


def overlap(
    objects: npt.NDArray[np.floating], boxes: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Intersection over union of every object with every box.

    Args:
        objects: (G, 4) x1, y1, x2, y2.
        boxes: (R, 4) x1, y1, x2, y2; a box whose x2 or y2 is no larger than x1 or y1 overlaps
            nothing.

    Returns:
        (G, R).
    """
    one, other = objects[:, None].astype(np.float64), boxes[None].astype(np.float64)
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    common = np.maximum(high - low, 0.0).prod(axis=-1)
    areas = [
        np.maximum(these[..., 2:] - these[..., :2], 0.0).prod(axis=-1) for these in (one, other)
    ]
    union = areas[0] + areas[1] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
