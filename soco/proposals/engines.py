"""The search engines by name: SoCo's selective search, and the three modes of OpenCV's."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from soco.config import ProposalsConfig
from soco.errors import UserError
from soco.proposals.selective_search import selective_search


def engine_of(settings: ProposalsConfig) -> str:
    """The name of the configured engine: `soco`, or `opencv_` and the mode.

    Raises:
        UserError: The configuration imports boxes instead of searching.
    """
    if settings.engine == "imported":
        raise UserError(
            "proposals.no_engine",
            "proposals.engine is `imported`, so no search is configured; choose one with --engine.",
        )
    return "soco" if settings.engine == "soco" else f"opencv_{settings.opencv_mode}"


def search(
    rgb: npt.NDArray[np.uint8], engine: str, settings: ProposalsConfig
) -> npt.NDArray[np.int32]:
    """Search an image with an engine.

    Args:
        rgb: (H, W, 3) uint8.
        engine: Its name, one of `soco.config.schema.Engine`.
        settings: Parameters of `soco`; `settings.engine` is ignored.

    Returns:
        (R, 5) int32: left, top, width, height, size, in pixels; size is 0 if the engine does not
        return it.
    """
    if engine == "soco":
        return selective_search(rgb, settings.scale, settings.sigma, settings.min_size)
    return opencv_selective_search(rgb, engine.removeprefix("opencv_"))


def opencv_selective_search(
    rgb: npt.NDArray[np.uint8], mode: str = "fast"
) -> npt.NDArray[np.int32]:
    """Run opencv-contrib's selective search.

    Args:
        rgb: (H, W, 3) uint8.
        mode: `fast`, `quality` or `single`.

    Returns:
        (R, 5) int32 as from `selective_search`, sorted and without duplicates; size is 0, since
        OpenCV does not return it.

    Raises:
        UserError: The installed OpenCV lacks its contrib modules.
    """
    if not hasattr(cv2, "ximgproc"):
        raise UserError(
            "proposals.opencv_without_contrib",
            "The installed OpenCV lacks the module ximgproc, which proposals.engine: opencv needs;"
            " run `make install`, or uninstall every OpenCV package and install"
            " opencv-contrib-python.",
        )
    cv2.setNumThreads(1)  # joblib distributes the images over the cores
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    switch: dict[str, Callable[[], None]] = {
        "fast": search.switchToSelectiveSearchFast,
        "quality": search.switchToSelectiveSearchQuality,
        "single": search.switchToSingleStrategy,
    }
    switch[mode]()
    # OpenCV ranks its regions with the C library's random numbers; sorting makes the order
    # reproducible.
    rects = np.unique(np.asarray(search.process(), np.int32).reshape(-1, 4), axis=0)
    rects[:, 2:] -= 1  # OpenCV's sides count pixels, the release's are max - min
    return np.column_stack([rects, np.zeros(len(rects), np.int32)])
