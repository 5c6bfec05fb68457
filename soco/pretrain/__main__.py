"""`python -m soco.pretrain JOB.json`: run a job, or under torchrun one of its processes."""

import logging
import os
import sys
from pathlib import Path

from soco.errors import UserError
from soco.pretrain.distributed import started_by_torchrun
from soco.pretrain.job import PretrainJob
from soco.pretrain.launch import pretrain, report_end
from soco.pretrain.stop import EXIT_CODE, ends_with_parent


def main(job_file: Path) -> int:
    """Run the job in a file; return the exit code."""
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", stream=sys.stderr)
    if started_by_torchrun():
        # If torchrun is killed, its processes would train on without it.
        ends_with_parent()()
    try:
        pretrain(PretrainJob.model_validate_json(job_file.read_text()))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        report_end(job_file, error)
        return 1
    except SystemExit as leaving:
        if leaving.code == EXIT_CODE:
            report_end(job_file, None)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
