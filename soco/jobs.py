"""A job of the workflow: what its script runs in, and the record that it leaves.

The record says what made the job's files, from what, in what, how long it took, and the hash of
each file when it was made.
"""

import contextlib
import dataclasses
import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soco.environment import environment
from soco.errors import UserError
from soco.io import Origin, fingerprint, made_by, write_json
from soco.logs import stage_log

Record = dict[str, Any]
_RECORD = "origin"
_KEYS = (
    "rule",
    "wildcards",
    "params",
    "seed",
    "inputs",
    "outputs",
    "environment",
    "started",
    "seconds",
    "peak_mb",
)


@dataclass(frozen=True)
class Job:
    """A job of the workflow, in plain values.

    Attributes:
        rule: Its rule.
        wildcards: Their values by name.
        params: The rule's, by name.
        threads: How many it had.
        inputs: Paths by the rule's name for them.
        outputs: The same; the record is not among them.
    """

    rule: str
    wildcards: dict[str, str]
    params: dict[str, Any]
    threads: int
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]

    @property
    def seed(self) -> int | None:
        """Of all chance in the job; None where the rule has none."""
        seed: int | None = self.params.get("seed")
        return seed


def described(job: Job | Record, environment: dict[str, Any]) -> dict[str, Any]:
    """The origin that the job's files carry inside: of it and its environment what is the same in
    every run.

    Args:
        job: The job, or its record.
        environment: What it runs in, see `soco.environment`.
    """
    told = dataclasses.asdict(job) | {"seed": job.seed} if isinstance(job, Job) else job
    code = environment["code"]
    return {
        "rule": told["rule"],
        "wildcards": told["wildcards"],
        "params_sha256": hashlib.sha256(
            json.dumps(told["params"], sort_keys=True).encode()
        ).hexdigest(),
        "seed": told["seed"],
        "code": {"commit": code["commit"], "dirty": code["dirty"]},
        "python": environment["python"],
        "packages": environment["packages"],
    }


class Clock:
    """When a job began, and what it took so far."""

    def __init__(self) -> None:
        self._started, self._ticks = datetime.now(UTC), time.monotonic()

    def told(self) -> dict[str, Any]:
        """`started` (ISO, UTC), `seconds`, `cpu_seconds` (child processes included), `peak_mb` (see `_peak_mb`)."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._ticks, 2),
            "cpu_seconds": round(sum(part.ru_utime + part.ru_stime for part in used), 2),
            "peak_mb": round(_peak_mb(used[0].ru_maxrss, used[1].ru_maxrss), 1),
        }


def write_record(path: Path, job: Job, environment: dict[str, Any], clock: Clock) -> None:
    """Write the record of a job that ended well; every output is hashed.

    Raises:
        UserError: An output is missing.
    """
    outputs = [
        {"name": name} | fingerprint(Path(file))
        for name, files in job.outputs.items()
        for file in files
    ]
    held = {"rule": job.rule, "wildcards": job.wildcards, "params": job.params, "seed": job.seed}
    told = {
        "threads": job.threads,
        "inputs": job.inputs,
        "outputs": outputs,
        "environment": environment,
    }
    write_json(path, held | told | clock.told())


def read_record(path: Path) -> Record:
    """Read the record of a job.

    Raises:
        UserError: It is missing, or holds something else.
    """
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}; run the stage that makes it, then the report again."
        ) from None
    except ValueError as error:
        raise UserError(
            f"{path} is not valid JSON ({error}); remove it and run the stage that makes it."
        ) from None
    absent = [key for key in _KEYS if not isinstance(record, dict) or key not in record]
    if absent:
        raise UserError(
            f"{path} lacks {', '.join(absent)}; remove it and run the stage that makes it."
        )
    return dict(record)


def _peak_mb(own: int, largest_child: int) -> float:
    """Largest resident set of any one of the job's processes, in MB.

    Linux counts what a process held before it became this program: the size of Snakemake, which
    started this one. Its status file does not. A child's figure can hold too much for the same
    reason, but no more than this process held.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    per_mb = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    return max(own, largest_child) / per_mb


@contextlib.contextmanager
def stage(snakemake: Any) -> Iterator[Origin]:
    """Run a script's work: into its log (see `stage_log`), its files with their origin, and a
    record at its end.

    Args:
        snakemake: What Snakemake hands to a script. Its log comes first; its output `origin`
            receives the record.
    """
    with stage_log(snakemake.log[0]):
        clock, job, runs_in = Clock(), job_of(snakemake), environment()
        origin = described(job, runs_in)
        with made_by(origin):
            yield origin
        write_record(Path(snakemake.output[_RECORD]), job, runs_in, clock)


def job_of(snakemake: Any) -> Job:
    """The job in plain values."""
    outputs = _paths(snakemake.output.items())
    del outputs[_RECORD]
    return Job(
        rule=snakemake.rule,
        wildcards={name: str(value) for name, value in snakemake.wildcards.items()},
        params=json.loads(json.dumps(dict(snakemake.params.items()), default=str)),
        threads=snakemake.threads,
        inputs=_paths(snakemake.input.items()),
        outputs=outputs,
    )


def _paths(named: Iterable[tuple[str, Any]]) -> dict[str, list[str]]:
    return {
        name: [str(held)] if isinstance(held, str) else [str(path) for path in held]
        for name, held in named
    }
