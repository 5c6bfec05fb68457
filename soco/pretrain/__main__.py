"""`python -m soco.pretrain JOB.json`: the pretraining that a file tells of.

Under torchrun, one of its processes.
"""

import logging
import os
import sys
from pathlib import Path

from soco.errors import UserError
from soco.io import atomic_write
from soco.pretrain.job import PretrainJob
from soco.pretrain.launch import STOPPED, ending_of, pretrain
from soco.pretrain.ranks import started_by_torchrun
from soco.pretrain.stop import EXIT_CODE, ends_with_parent


def main(job_file: Path) -> int:
    """Train; returns the exit code."""
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", stream=sys.stderr)
    if started_by_torchrun():
        ends_with_parent()()
    try:
        pretrain(PretrainJob.model_validate_json(job_file.read_text()))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        _tell(job_file, str(error))
        return 1
    except SystemExit as left:
        if left.code == EXIT_CODE:
            _tell(job_file, STOPPED)
        raise
    return 0


def _tell(job_file: Path, ending: str) -> None:
    """Leave word for the process that called torchrun, which hears of no more than a code."""
    if started_by_torchrun():
        with atomic_write(ending_of(job_file)) as temporary:
            temporary.write_text(ending)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
