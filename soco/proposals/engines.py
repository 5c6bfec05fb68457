"""The engines that search images, by the names under which they are configured and compared."""

import numpy as np
import numpy.typing as npt

from soco.config import ProposalsConfig
from soco.errors import UserError
from soco.proposals.opencv_search import opencv_selective_search
from soco.proposals.selective_search import selective_search


def engine_of(settings: ProposalsConfig) -> str:
    """The name of the engine that a configuration chooses: `soco`, or `opencv_` and the mode.

    Raises:
        UserError: The configuration imports boxes and searches nothing.
    """
    if settings.engine == "imported":
        raise UserError(
            "proposals.engine is imported, which searches no image; choose an engine with --engine."
        )
    return "soco" if settings.engine == "soco" else f"opencv_{settings.opencv_mode}"


def search(
    rgb: npt.NDArray[np.uint8], engine: str, settings: ProposalsConfig
) -> npt.NDArray[np.int32]:
    """All regions that an engine finds.

    Args:
        rgb: (H, W, 3) uint8.
        engine: Its name, one of `soco.config.schema.Engine`.
        settings: Gives the parameters of `soco`; its own choice of engine is not looked at.

    Returns:
        (R, 5) int32: left, top, width, height, size, in pixels; size is 0 where the engine does not
        tell.
    """
    if engine == "soco":
        return selective_search(rgb, settings.scale, settings.sigma, settings.min_size)
    return opencv_selective_search(rgb, engine.removeprefix("opencv_"))
