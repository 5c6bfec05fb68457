"""What a stage prints goes to its log, and what stops it is said in one sentence."""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError

_STDERR = 2


@contextlib.contextmanager
def stage_log(path: str | Path) -> Iterator[None]:
    """Send all that the block prints, logs or warns to the file `path`, as its child processes do too.

    A `UserError` is written to the log and to the terminal as its one sentence, any other exception with its
    traceback; both end the process with code 1, which Snakemake takes as a failed job.
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
    except UserError as error:
        message = f"Error: {error}\n"
        sys.stderr.write(message)
        os.write(terminal, message.encode())
        raise SystemExit(1) from None
    except Exception:
        trace = traceback.format_exc()
        sys.stderr.write(trace)
        os.write(terminal, f"{trace}(the whole log: {path})\n".encode())
        raise SystemExit(1) from None
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.close(terminal)
