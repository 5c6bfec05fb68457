"""Filters: which regions are kept, by shape and by size relative to the picture."""

import dataclasses
import math
import re

import numpy as np
import numpy.typing as npt

from soco.config.schema import STRATEGY_NAME
from soco.errors import UserError


@dataclasses.dataclass(frozen=True)
class Strategy:
    """One filter; `None` leaves a side open.

    Attributes:
        ratio: Largest width over height, and height over width.
        low: Smallest sqrt(w h) as a share of sqrt(picture width x height).
        high: Largest such share.
    """

    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def parse(cls, name: str) -> "Strategy":
        """Read a strategy's name: `none`, `ratioR`, `sizeMM`, `sizeMMNN` (tenths), or ratio and size together.

        Raises:
            UserError: The name is none of these.
        """
        match = re.match(STRATEGY_NAME, name)
        if not name or match is None:
            raise UserError(f"There is no filter strategy '{name}'; give none, ratio3, size0308 or ratio3size0308.")
        numbers = {key: float(value) for key, value in match.groupdict().items() if value is not None}
        tenths = {key: value / 10 for key, value in numbers.items() if key != "ratio"}
        return cls(ratio=numbers.get("ratio"), **tenths)


def keep(
    rects: npt.NDArray[np.integer], picture: tuple[int, int], strategy: Strategy, min_side: int = 32
) -> npt.NDArray[np.bool_]:
    """Tell which rects a strategy keeps.

    Args:
        rects: (N, 4): left, top, width, height, in pixels.
        picture: Width and height of the picture, in pixels.
        strategy: The filter.
        min_side: Narrowest width and height kept, in pixels.

    Returns:
        (N,) bool.
    """
    width, height = rects[:, 2].astype(np.float64), rects[:, 3].astype(np.float64)
    kept = (width >= max(min_side, 1)) & (height >= max(min_side, 1))
    ratio = np.divide(width, height, out=np.ones_like(width), where=height > 0)
    share = np.sqrt(width * height) / (math.sqrt(picture[0]) * math.sqrt(picture[1]))
    if strategy.ratio is not None:
        kept &= (ratio >= 1 / strategy.ratio) & (ratio <= strategy.ratio)
    if strategy.low is not None:
        kept &= share >= strategy.low
    if strategy.high is not None:
        kept &= share <= strategy.high
    return kept
