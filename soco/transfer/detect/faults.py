"""What bad input makes a training or a loader's process say reaches the user as its sentence alone."""

import contextlib
from collections.abc import Iterator

import torch

from soco.errors import UserError

_MARK = f"{UserError.__module__}.{UserError.__name__}: "


@contextlib.contextmanager
def sentences_alone() -> Iterator[None]:
    """Raise a `UserError` of another process as if it had been raised here.

    Loaders' workers and processes that train together hand on a traceback as text, at whose end the
    sentence stands.
    """
    try:
        yield
    except (UserError, torch.multiprocessing.ProcessRaisedException) as error:
        _, mark, sentence = str(error).rpartition(_MARK)
        if not mark:
            raise
        raise UserError(sentence.strip()) from None
