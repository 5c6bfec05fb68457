"""What libraries need that have not followed their own dependencies, and what they keep to themselves."""

import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import Any

import detectron2.engine.defaults as engine
import lvis
import numpy as np


def restore_numpy_float() -> None:
    """Give NumPy its old name `float` back.

    Lvis's evaluation uses `np.float`, which NumPy 1.24 dropped.
    """
    if not hasattr(np, "float"):
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001


def allow_processes_without_gpus() -> None:
    """Let detectron2's trainer run in several processes on CPUs.

    It names a GPU to DistributedDataParallel.
    """
    engine.create_ddp_model = functools.partial(engine.create_ddp_model, device_ids=None)


def leave_errors_to_the_caller() -> None:
    """Keep detectron2's loop from printing the traceback of each exception, which it passes on to be reported."""
    logging.getLogger("detectron2.engine.train_loop").addFilter(_is_no_traceback)


def _is_no_traceback(record: logging.LogRecord) -> bool:
    return record.exc_info is None


@contextlib.contextmanager
def remembered_lvis(limit: int) -> Iterator[list[Any]]:
    """Keep the LVIS evaluations that detectron2 makes and drops: the AP of a category is in them
    alone.

    Args:
        limit: Most detections an image, by which lvis names its recalls.

    Yields:
        A list that receives every `lvis.LVISEval` that is made meanwhile.
    """
    made: list[Any] = []

    class Remembered(lvis.LVISEval):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.params.max_dets = limit
            made.append(self)

    original, lvis.LVISEval = lvis.LVISEval, Remembered
    try:
        yield made
    finally:
        lvis.LVISEval = original
