"""A pretraining that is longer than a Slurm job may be goes on in the next."""

import contextlib
import logging
from collections.abc import Iterator

from soco.pretrain.slurm import current_job
from soco.pretrain.stop import EXIT_CODE

log = logging.getLogger(__name__)


@contextlib.contextmanager
def requeue_on_timeout() -> Iterator[None]:
    """Where the block left because its Slurm job is about to end, have that job queued again.

    Not where a signal alone asked it to leave: what is cancelled or preempted is for others to
    start again.

    Raises:
        SystemExit: As the block raised it; where Slurm does not queue the job again, that is a
            failed job, which Snakemake's `retries` start again.
    """
    try:
        yield
    except SystemExit as left:
        job = current_job() if left.code == EXIT_CODE else None
        if job is not None and job.is_over and job.starts_again():
            log.info(
                "job %s is about to reach its time limit and is queued again, to go on", job.number
            )
        raise
