"""The Slurm job that a pretraining runs in: when it ends, and how it goes on in the next.

A partition's limit is shorter than a long pretraining. Some minutes before it the training saves
and leaves; the job is then put back into Slurm's queue under its own number, so that Snakemake,
which waits for that number, takes it neither for finished nor for failed.
"""

import logging
import os
import subprocess
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)

_SHARE, _LONGEST = (
    0.1,
    300.0,
)  # of the job's time, in seconds: what is kept for a step and a checkpoint
_OF_SNAKEMAKE = "rule_pretrain_model"  # how its Slurm plugin comments the jobs of that rule


@dataclass(frozen=True)
class SlurmJob:
    """A job of Slurm's.

    Attributes:
        number: Its number.
        start: When it began, in seconds since 1970.
        end: When Slurm ends it; infinite without a limit.
        comment: What who submitted it wrote of it.
    """

    number: str
    start: float
    end: float
    comment: str = ""

    @property
    def leave_at(self) -> float:
        """When to begin to leave: five minutes before the end, or a tenth of a shorter job."""
        return self.end - min(_LONGEST, _SHARE * (self.end - self.start))

    @property
    def is_over(self) -> bool:
        """Whether it is time to leave."""
        return time.time() >= self.leave_at

    def starts_again(self) -> bool:
        """Put the job back into the queue, if it is one that Snakemake submitted for a pretraining
        and still runs.

        Other jobs are their owner's: a script of yours may do more than pretrain. One that is being
        cancelled stays so.

        Returns:
            Whether Slurm took it; it then ends this job, this process among it.
        """
        if not self.comment.startswith(_OF_SNAKEMAKE) or _asked(self.number, "%T") != "RUNNING":
            return False
        answer = subprocess.run(
            ["scontrol", "requeue", self.number], capture_output=True, text=True
        )
        if answer.returncode:
            log.warning("Slurm does not queue job %s again: %s", self.number, answer.stderr.strip())
        return not answer.returncode


def current_job() -> SlurmJob | None:
    """The job that this process runs in; None outside Slurm, and where Slurm does not answer."""
    number = os.environ.get("SLURM_JOB_ID")
    if not number:
        return None
    start, _, rest = (_asked(number, "%S|%e|%k") or "").partition("|")
    end, _, comment = rest.partition("|")
    if not start.isdigit():
        return None
    return SlurmJob(number, float(start), float(end) if end.isdigit() else float("inf"), comment)


def _asked(number: str, columns: str) -> str | None:
    """What squeue says of a job, times in seconds since 1970; None when it says nothing."""
    # Not from SLURM_JOB_END_TIME: older versions do not set it, and Snakemake's plugin takes it
    # away.
    command = ["squeue", "--noheader", "--jobs", number, "--format", columns]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "SLURM_TIME_FORMAT": "%s"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("squeue does not tell when job %s ends: %s", number, error)
        return None
    return answer.stdout.strip() or None
