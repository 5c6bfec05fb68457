"""Warns when a pretraining collapses.

When the vectors of different images become one and the same.
"""

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

# docs/loss.md has the figures of a healthy and of collapsed runs that these lie between.
LEAST_SPREAD, MOST_COSINE_APART = 0.2, 0.95
# Vectors of fresh weights may be alike, and a single batch may mislead.
WARM_UP, LINES_IN_A_ROW = 0.1, 3


class CollapseWatch:
    """Reads the training log's lines; warns when several in a row, past the first tenth of the
    steps, show collapse.

    It warns once, and again only after the figures were sound for as many lines.
    """

    def __init__(self, steps: int) -> None:
        self._first_step = WARM_UP * steps
        self._alike = self._sound = 0
        self._warned = False

    def read(self, line: Mapping[str, Any]) -> None:
        """Take a line of the training log.

        `spread` and `cosine_apart` are null where a step had no two images.
        """
        spread, apart = line.get("spread"), line.get("cosine_apart")
        if line["step"] < self._first_step or spread is None or apart is None:
            return
        shows_collapse = spread < LEAST_SPREAD or apart > MOST_COSINE_APART
        self._alike, self._sound = (self._alike + 1, 0) if shows_collapse else (0, self._sound + 1)
        if self._alike >= LINES_IN_A_ROW and not self._warned:
            self._warned = True
            log.warning(
                "The vectors of different images are becoming one and the same (collapse): at step %d their spread "
                "is %.3f (1 is even, below %g is too little) and their mean cosine %.3f (0 is even, above %g is too "
                "much). A loss that falls now means nothing. Lower base_lr, check that ema_base is near 0.99, and look "
                "at the views with `soco show views`; docs/loss.md says more.",
                line["step"], spread, LEAST_SPREAD, apart, MOST_COSINE_APART,
            )  # fmt: skip
        elif self._sound >= LINES_IN_A_ROW and self._warned:
            self._warned = False
            log.info(
                "The vectors of different images differ again at step %d (spread %.3f).",
                line["step"],
                spread,
            )
