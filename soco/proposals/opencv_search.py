"""OpenCV's selective search, as another engine: other boxes, from opencv-contrib's three modes."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from soco.errors import UserError


def opencv_selective_search(
    rgb: npt.NDArray[np.uint8], mode: str = "fast"
) -> npt.NDArray[np.int32]:
    """Run opencv-contrib's selective search.

    Args:
        rgb: (H, W, 3) uint8.
        mode: `fast`, `quality` or `single`.

    Returns:
        (R, 5) int32 in the form of `selective_search`, each rect once, sorted; size is 0, since
        OpenCV does not tell.

    Raises:
        UserError: The `cv2` that is installed lacks the contributed modules.
    """
    if not hasattr(cv2, "ximgproc"):
        raise UserError(
            "The installed cv2 lacks ximgproc: run `make install`, or install opencv-contrib-python"
            " alone."
        )
    cv2.setNumThreads(1)  # joblib spreads images over the cores
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    switch: dict[str, Callable[[], None]] = {
        "fast": search.switchToSelectiveSearchFast,
        "quality": search.switchToSelectiveSearchQuality,
        "single": search.switchToSingleStrategy,
    }
    switch[mode]()
    # OpenCV orders its regions by a random rank of the C library's; sorted, they are the same in
    # every run.
    found = np.unique(np.asarray(search.process(), np.int32).reshape(-1, 4), axis=0)
    found[:, 2:] -= 1  # OpenCV counts pixels, the release takes max - min
    return np.column_stack([found, np.zeros(len(found), np.int32)])
