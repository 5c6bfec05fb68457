"""What bad input makes a training or a loader's process say reaches the user as its sentence alone."""

import contextlib
import logging
from collections.abc import Iterator

import torch

from soco.errors import UserError

_MARK = f"{UserError.__module__}.{UserError.__name__}: "


@contextlib.contextmanager
def sentences_alone() -> Iterator[None]:
    """Raise a `UserError` of another process as if it had been raised here.

    Loaders' workers and processes that train together hand on a traceback as text, at whose end the sentence stands.
    """
    try:
        yield
    except (UserError, torch.multiprocessing.ProcessRaisedException) as error:
        _, mark, sentence = str(error).rpartition(_MARK)
        raise (UserError(sentence.strip()) if mark else error) from None


def hide_traceback() -> None:
    """Keep detectron2's training loop from logging the traceback of a `UserError`, which is told at the end."""
    logger = logging.getLogger("detectron2.engine.train_loop")
    if _is_worth_a_traceback not in logger.filters:
        logger.addFilter(_is_worth_a_traceback)


def _is_worth_a_traceback(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    return not (kind and issubclass(kind, UserError))
