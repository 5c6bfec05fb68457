"""Expected recall of k randomly drawn boxes, in closed form: no sampling, and no seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Overlaps = npt.NDArray[np.floating]


@dataclass(frozen=True)
class ExpectedRecall:
    """Expectations over a random draw, for K numbers of boxes, T thresholds and G objects.

    Attributes:
        found: (K, T, G) probability that a drawn box has at least the threshold's IoU with the
            object.
        best: (K, G) expected IoU of the best drawn box with the object.
    """

    found: npt.NDArray[np.float64]
    best: npt.NDArray[np.float64]


def miss_probabilities(boxes: int, drawn: int) -> npt.NDArray[np.float64]:
    """The probability that a draw contains none of m given boxes, for every m.

    k of R boxes are drawn without replacement, each set of k with equal probability. Then

        P(none of m) = C(R - m, k) / C(R, k) = product over j < m of (R - k - j) / (R - j).

    The product has no large numbers to cancel, so it needs no logarithms of factorials.

    Args:
        boxes: R, at least one.
        drawn: k, at least one; if it exceeds R, all boxes are drawn.

    Returns:
        (R + 1,) for m from 0 to R.
    """
    before = np.arange(boxes)
    # (R - k - j) / (R - j); 0 from j = R - k on, since only R - k boxes are not drawn.
    factors = np.maximum(boxes - min(drawn, boxes) - before, 0) / (boxes - before)
    return np.concatenate([[1.0], np.cumprod(factors)])


def expected_recall(
    overlaps: Overlaps, drawn: Sequence[int], thresholds: Sequence[float]
) -> ExpectedRecall:
    """Compute the expected recall and best IoU of k boxes drawn without replacement.

    An object with m of the R boxes at IoU >= t is found with probability 1 - C(R - m, k) / C(R, k).
    With the IoUs sorted, o_1 >= o_2 >= ..., the best drawn IoU is o_i if the i-th box is drawn and
    none of the first i - 1 is:

        E(best) = sum over i of o_i (C(R - i + 1, k) - C(R - i, k)) / C(R, k).

    Args:
        overlaps: (G, R) IoU of each object with each box, at least one box.
        drawn: The K numbers k.
        thresholds: The T thresholds t.
    """
    missed = np.stack([miss_probabilities(overlaps.shape[1], k) for k in drawn])  # (K, R + 1)
    hits = np.stack([(overlaps >= threshold).sum(axis=1) for threshold in thresholds])  # (T, G)
    falling = -np.sort(-overlaps, axis=1)  # (G, R)
    # P(the i-th is the best drawn) = P(none of i - 1) - P(none of i): (K, R) @ (R, G) -> (K, G).
    best = (missed[:, :-1] - missed[:, 1:]) @ falling.T
    return ExpectedRecall(found=1.0 - missed[:, hits], best=best)
