"""A job of the workflow: its log, the origin of its files, and its record.

The record says what made the job's files, from which inputs, in which environment, how long it
took, and the hash of each file when it was written.
"""

import ast
import contextlib
import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soco.environment import REPOSITORY, environment
from soco.errors import UserError
from soco.io import Origin, fingerprint, write_json
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
# Records of versions before 2026-12 lack these.
_DEFAULTS = {"stage": "other", "repeatable": False, "lists": []}
_OUTPUT_DEFAULTS = {"deterministic": True, "has_origin": True}


@dataclass(frozen=True)
class Kind:
    """What a rule's script declares about all its jobs.

    Attributes:
        stage: The target of the workflow that the job belongs to.
        varying: Names of outputs that contain times, so that no two runs write the same bytes.
        without_origin: Names of outputs that cannot contain an origin: folders, lists, lines, and
            annotations, which stay as their author wrote them.
        repeatable: Whether the audit may rerun the job: it takes minutes, and its outputs depend
            only on its inputs. Trainings are not rerun.
    """

    stage: str = "other"
    varying: tuple[str, ...] = ()
    without_origin: tuple[str, ...] = ()
    repeatable: bool = False


@dataclass(frozen=True)
class Job:
    """A job of the workflow, in plain values.

    Attributes:
        rule: The rule's name.
        wildcards: Values of the wildcards by name.
        params: The rule's params by name.
        threads: Number of threads.
        inputs: Paths by the rule's names.
        outputs: The same, without the record.
        lists: Inputs and outputs that are lists, even of a single path: `inputs.NAME`,
            `outputs.NAME`.
        kind: What the script declares.
    """

    rule: str
    wildcards: dict[str, str]
    params: dict[str, Any]
    threads: int
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    lists: tuple[str, ...] = ()
    kind: Kind = Kind()

    @property
    def seed(self) -> int | None:
        """The seed of all random generators in the job; None if the rule has none."""
        seed: int | None = self.params.get("seed")
        return seed


def described(job: Job | Record, environment: dict[str, Any]) -> Origin:
    """The origin stored in the job's files: everything that is the same in every run.

    Args:
        job: The job, or its record.
        environment: Where it runs, see `soco.environment`.
    """
    record = vars(job) | {"seed": job.seed} if isinstance(job, Job) else job
    params = json.dumps(record["params"], sort_keys=True)
    return {
        "rule": record["rule"],
        "wildcards": record["wildcards"],
        "params_sha256": hashlib.sha256(params.encode()).hexdigest(),
        "seed": record["seed"],
        "code": {key: environment["code"][key] for key in ("commit", "dirty")},
        "python": environment["python"],
        "packages": environment["packages"],
    }


class Clock:
    """When a job started, and what it has used so far."""

    def __init__(self) -> None:
        self._started, self._ticks = datetime.now(UTC), time.monotonic()

    def usage(self) -> dict[str, Any]:
        """`started` (ISO, UTC), `seconds`, `cpu_seconds` (with child processes) and `peak_mb`."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._ticks, 2),
            "cpu_seconds": round(sum(part.ru_utime + part.ru_stime for part in used), 2),
            "peak_mb": round(_peak_mb(used[0].ru_maxrss, used[1].ru_maxrss), 1),
        }


def write_record(path: Path, job: Job, environment: dict[str, Any], clock: Clock) -> None:
    """Write the record of a job that succeeded; every output is hashed.

    Args:
        path: The file.
        job: The job.
        environment: Where it ran, see `soco.environment`.
        clock: When it started and what it used.

    Raises:
        UserError: An output is missing.
    """
    outputs = [
        {
            "name": name,
            "deterministic": name not in job.kind.varying,
            "has_origin": name not in job.kind.without_origin,
        }
        | fingerprint(Path(file))
        for name, files in job.outputs.items()
        for file in files
    ]
    record = {
        "rule": job.rule,
        "stage": job.kind.stage,
        "repeatable": job.kind.repeatable,
        "wildcards": job.wildcards,
        "params": job.params,
        "seed": job.seed,
        "threads": job.threads,
        "inputs": job.inputs,
        "outputs": outputs,
        "lists": list(job.lists),
        "environment": environment,
    }
    write_json(path, record | clock.usage())


def read_record(path: Path) -> Record:
    """Read the record of a job.

    Raises:
        UserError: The file is missing, or is not a record.
    """
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(
            "io.record_missing",
            "There is no {path}; run the stage that writes it, then the report again.",
            path=path,
        ) from None
    except ValueError as error:
        raise UserError(
            "io.record_not_json",
            "{path} is not valid JSON ({error}); delete it and run the stage that writes it.",
            path=path,
            error=error,
        ) from None
    missing = [key for key in _KEYS if not isinstance(record, dict) or key not in record]
    if missing:
        raise UserError(
            "io.record_incomplete",
            "{path} lacks {missing}; delete it and run the stage that writes it.",
            path=path,
            missing=", ".join(missing),
        )
    outputs = [_OUTPUT_DEFAULTS | output for output in record["outputs"]]
    return _DEFAULTS | record | {"outputs": outputs}


def script_of(rule: str) -> Path:
    """The script that runs a rule's jobs."""
    return REPOSITORY / "workflow_scripts" / f"{rule}.py"


def declared(rule: str) -> Kind | None:
    """What a rule's script passes to `stage`, read without running it; None without a script.

    A record may come from others, and name a path instead of a rule.
    """
    if not rule.isidentifier() or not script_of(rule).is_file():
        return None
    for node in ast.walk(ast.parse(script_of(rule).read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "stage"
        ):
            named = {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
            return Kind(*map(ast.literal_eval, node.args[1:]), **named)
    return None


def _peak_mb(own: int, largest_child: int) -> float:
    """The largest resident set of any one of the job's processes, in MB.

    Linux counts what a process used before it became this program: the size of Snakemake, which
    started it. /proc/self/status does not. A child's value can be too large for the same reason,
    but no larger than this process was.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    per_mb = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    return max(own, largest_child) / per_mb


@contextlib.contextmanager
def stage(snakemake: Any, name: str = "other", **declared: Any) -> Iterator[Origin]:
    """Run the work of a script: print into its log, and write its record at the end.

    Args:
        snakemake: What Snakemake passes to a script. Its output `origin` receives the record. The
            audit passes an object of its own, without a log: its jobs print where it prints.
        name: The target of the workflow that the job belongs to.
        declared: The other fields of `Kind`, as literals: `declared` reads them from the script.

    Yields:
        The origin, which every writer of a file receives.
    """
    log = stage_log(snakemake.log[0]) if snakemake.log else contextlib.nullcontext()
    with log:
        clock, job, runs_in = Clock(), job_of(snakemake, Kind(name, **declared)), environment()
        origin = described(job, runs_in)
        yield origin
        write_record(Path(snakemake.output[_RECORD]), job, runs_in, clock)


def job_of(snakemake: Any, kind: Kind = Kind()) -> Job:
    """Turn what Snakemake passes to a script into a job of plain values."""
    outputs = dict(snakemake.output.items())
    del outputs[_RECORD]
    named = {"inputs": dict(snakemake.input.items()), "outputs": outputs}
    return Job(
        rule=snakemake.rule,
        wildcards={name: str(value) for name, value in snakemake.wildcards.items()},
        params=json.loads(json.dumps(dict(snakemake.params.items()), default=str)),
        threads=snakemake.threads,
        inputs=_paths(named["inputs"]),
        outputs=_paths(named["outputs"]),
        lists=tuple(
            f"{side}.{name}"
            for side, paths in named.items()
            for name, value in paths.items()
            if not isinstance(value, str)
        ),
        kind=kind,
    )


def _paths(named: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: [str(value)] if isinstance(value, str) else [str(path) for path in value]
        for name, value in named.items()
    }
