"""Redirect a stage's output to its log, and report fatal errors there and on the terminal."""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError
from soco.machine import machine_faults

_STDERR = 2


@contextlib.contextmanager
def stage_log(path: str | Path) -> Iterator[None]:
    """Redirect all output of the block and its child processes to the file `path`.

    A `UserError`, or a fault of the machine (see `soco.machine`), is written to the log and to the
    terminal as one sentence; if it was inferred from another error, the log has that one, too.
    Any other exception is written to both with its traceback.

    Raises:
        SystemExit: With code 1, after any error, so that Snakemake counts the job as failed.
    """
    path = Path(path)
    terminal = os.dup(_STDERR)
    try:
        with machine_faults(path):
            _redirect_to(path)
            yield
            _flush()
    except UserError as error:
        if error.__cause__ is not None:  # from which the sentence was inferred
            _log(terminal, "".join(traceback.format_exception(error.__cause__)))
        _report(terminal, f"Error: {error}\n")
        raise SystemExit(1) from None
    except Exception:
        _report(terminal, traceback.format_exc(), f"(the full log: {path})\n")
        raise SystemExit(1) from None
    finally:
        _flush_or_discard()
        os.close(terminal)


def _redirect_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    with path.open("a", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), _STDERR)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr, force=True
    )


def _report(terminal: int, message: str, hint: str = "") -> None:
    """Write the error to the terminal first, since the log itself may be what cannot be written."""
    os.write(terminal, f"{message}{hint}".encode())
    _log(terminal, message)


def _log(terminal: int, message: str) -> None:
    """Write to the log, if output is redirected to one and it can be written."""
    if not os.path.sameopenfile(terminal, _STDERR):
        with contextlib.suppress(OSError):
            sys.stderr.write(message)
            sys.stderr.flush()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _flush_or_discard() -> None:
    """Flush, or discard output that the log cannot take: Python would fail in its last flush."""
    try:
        _flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, _STDERR)
        _flush()
