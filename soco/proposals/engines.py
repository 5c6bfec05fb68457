"""The engines by the names under which they are compared, and what the filter leaves of their regions."""

import numpy as np
import numpy.typing as npt

from soco.config import FilterConfig, ProposalsConfig
from soco.errors import UserError
from soco.proposals import selective_search
from soco.proposals.filters import first_that_keeps
from soco.proposals.opencv_search import opencv_selective_search

Rects = npt.NDArray[np.integer]


def engine_of(settings: ProposalsConfig) -> str:
    """The name of the engine that a configuration chooses: `soco`, or `opencv_` and the mode.

    Raises:
        UserError: The configuration imports boxes and searches nothing.
    """
    if settings.engine == "imported":
        raise UserError("proposals.engine is imported, which searches no picture; choose an engine with --engine.")
    return "soco" if settings.engine == "soco" else f"opencv_{settings.opencv_mode}"


def search(rgb: npt.NDArray[np.uint8], engine: str, settings: ProposalsConfig) -> Rects:
    """All regions that an engine finds.

    Args:
        rgb: (H, W, 3) uint8.
        engine: Its name, one of `soco.config.schema.Engine`.
        settings: Gives the parameters of `soco`; its own choice of engine is not looked at.

    Returns:
        (R, 4): left, top, width, height, in pixels.
    """
    if engine == "soco":
        return selective_search(rgb, settings.scale, settings.sigma, settings.min_size)[:, :4]
    return opencv_selective_search(rgb, engine.removeprefix("opencv_"))[:, :4]


def proposals_of(rects: Rects, picture: tuple[int, int], settings: FilterConfig) -> tuple[str, Rects]:
    """The proposals of one picture, by the filter or the first of its fallbacks that keeps any.

    Args:
        rects: (R, 4) regions: left, top, width, height, in pixels.
        picture: Its width and height, in pixels.
        settings: The filter.

    Returns:
        The name of the strategy that kept them, and the (N, 4) proposals; "" and none where none kept any.
    """
    return first_that_keeps((settings.strategy, *settings.fallbacks), rects, picture, settings.min_side)
