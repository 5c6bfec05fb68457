"""The Slurm job that a pretraining runs in: when it ends, and how it is requeued.

A long pretraining exceeds the time limit of a partition. Some minutes before the limit, training
saves a checkpoint and exits. The job is then requeued under its own number, so that Snakemake,
which waits for that number, counts it neither as finished nor as failed.
"""

import logging
import os
import subprocess
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)

# Time kept for a step and a checkpoint: a tenth of the job's, at most five minutes.
_SHARE, _LONGEST = 0.1, 300.0
_COMMENT = "rule_pretrain_model"  # begins the comment that Snakemake's Slurm plugin gives the job


@dataclass(frozen=True)
class SlurmJob:
    """A Slurm job.

    Attributes:
        number: Its id.
        start: When it started, in seconds since 1970.
        end: When Slurm ends it; infinite without a limit.
        comment: The comment that it was submitted with.
    """

    number: str
    start: float
    end: float
    comment: str = ""

    @property
    def leave_at(self) -> float:
        """When to exit: five minutes before the end, or a tenth of the job's time if less."""
        return self.end - min(_LONGEST, _SHARE * (self.end - self.start))

    @property
    def is_over(self) -> bool:
        """Whether it is time to exit."""
        return time.time() >= self.leave_at

    def requeue(self) -> bool:
        """Requeue the job if it is running and Snakemake submitted it for a pretraining.

        Other jobs belong to their owners: a script of yours may do more than pretrain. A job that
        is being cancelled stays cancelled.

        Returns:
            Whether Slurm accepted; it then ends this job, and this process with it.
        """
        if not self.comment.startswith(_COMMENT) or _squeue(self.number, "%T") != "RUNNING":
            return False
        answer = subprocess.run(
            ["scontrol", "requeue", self.number], capture_output=True, text=True
        )
        if answer.returncode:
            log.warning("Slurm did not requeue job %s: %s", self.number, answer.stderr.strip())
        return not answer.returncode


def current_job() -> SlurmJob | None:
    """Return the job of this process; None outside Slurm, or if Slurm does not answer."""
    number = os.environ.get("SLURM_JOB_ID")
    if not number:
        return None
    # The comment is the last column, as it may contain a bar itself.
    start, _, rest = (_squeue(number, "%S|%e|%k") or "").partition("|")
    end, _, comment = rest.partition("|")
    if not start.isdigit():
        return None
    # Where squeue knows no time it prints a word, such as N/A.
    return SlurmJob(number, float(start), float(end) if end.isdigit() else float("inf"), comment)


def _squeue(number: str, columns: str) -> str | None:
    """What squeue prints about a job, with times in seconds since 1970; None without an answer."""
    # Not SLURM_JOB_END_TIME: older versions do not set it, and Snakemake's plugin removes it.
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
        log.warning("squeue does not report when job %s ends: %s", number, error)
        return None
    return answer.stdout.strip() or None
