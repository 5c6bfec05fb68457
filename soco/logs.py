"""What a stage prints goes to its log, and what stops it is said in one sentence."""

import contextlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError

_STDERR = 2


@contextlib.contextmanager
def stage_log(path: str | Path) -> Iterator[None]:
    """Send all that the block prints, logs or warns to the file `path`, as its child processes do too.

    A `UserError`, or memory that does not suffice, is written to the log and to the terminal as one sentence, any other
    exception with its traceback; both end the process with code 1, which Snakemake takes as a failed job.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.dup(_STDERR)
    with path.open("a", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), _STDERR)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr, force=True)
    try:
        yield
    except Exception as error:
        if sentence := _sentence(error):
            message = f"Error: {sentence}\n"
            sys.stderr.write(message)
            os.write(terminal, message.encode())
            raise SystemExit(1) from None
        trace = traceback.format_exc()
        sys.stderr.write(trace)
        os.write(terminal, f"{trace}(the whole log: {path})\n".encode())
        raise SystemExit(1) from None
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.close(terminal)


def _sentence(error: Exception) -> str | None:
    """What a user is told of an exception; None where only its traceback says what happened."""
    if isinstance(error, UserError):
        return str(error)
    # torch raises a RuntimeError, of no kind of its own where it is the machine's memory
    said = str(error)
    is_memory = isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and re.search(r"can't allocate memory|out of memory", said)
    )
    if not is_memory:
        return None
    asked = re.search(r"tried to allocate ([\d.]+ \w+)", said)
    wanted = f" ({asked[1]} more were asked for)" if asked else ""
    return (
        f"The memory does not suffice{wanted}; lower the sizes or counts that this stage takes from the configuration, "
        "such as batch_size or the detector's channels, or run it where there is more."
    )
