"""What a stage prints goes to its log, and what stops it is said in one sentence."""

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
    """Send all that the block prints, logs or warns to the file `path`, as its child processes do
    too.

    A `UserError`, and what the machine refuses (`soco.machine`), is written to the log and to the
    terminal as one sentence; what it was inferred from, if anything, stands before it in the log.
    Any other exception is written with its traceback to both. Each ends the process with code 1,
    which Snakemake takes as a failed job.
    """
    path = Path(path)
    terminal = os.dup(_STDERR)
    try:
        with machine_faults(path):
            _send_to(path)
            yield
            _flush()
    except UserError as error:
        if error.__cause__ is not None:  # what the sentence was inferred from
            _log(terminal, "".join(traceback.format_exception(error.__cause__)))
        _tell(terminal, f"Error: {error}\n")
        raise SystemExit(1) from None
    except Exception:
        _tell(terminal, traceback.format_exc(), f"(the whole log: {path})\n")
        raise SystemExit(1) from None
    finally:
        _flush_what_can_be()
        os.close(terminal)


def _send_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    with path.open("a", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), _STDERR)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr, force=True
    )


def _tell(terminal: int, message: str, hint: str = "") -> None:
    """Say what stopped the stage, on the terminal first: the log may be what cannot be written."""
    os.write(terminal, f"{message}{hint}".encode())
    _log(terminal, message)


def _log(terminal: int, message: str) -> None:
    """Write to the log, if there is one beside the terminal and it can be written."""
    if not os.path.sameopenfile(terminal, _STDERR):
        with contextlib.suppress(OSError):
            sys.stderr.write(message)
            sys.stderr.flush()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _flush_what_can_be() -> None:
    """Python flushes once more at its end, and would fail then.

    What the log does not take is dropped.
    """
    try:
        _flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, _STDERR)
        _flush()
