"""Where the figures come from.

Every job with what it ran in, and a hash of every file that it made.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from soco.environment import REPOSITORY, git_state
from soco.io import sha256_of
from soco.jobs import Record

SCHEMA = 2
LOCK = Path("envs", "requirements.lock")


def provenance(records: Sequence[Record], paths: Iterable[Path]) -> dict[str, Any]:
    """All that tells one run from another, apart from its configuration.

    Args:
        records: Of all jobs, in the order of the stages.
        paths: The files that they stand in.

    Returns:
        By key:

        * `schema`: the version of this form; soco/report/report.schema.json describes it.
        * `run`: `started` of the earliest job and `ended` of the latest, ISO, UTC; `targets`, None:
          not known here.
        * `git`: commit of the code that made the report, see `git_state`.
        * `lock`: `path` and `sha256` of the lock of packages; None where the code lies without it.
        * `environments`: the distinct ones of the jobs, see `soco.environment`.
        * `jobs`: see `_job`.
        * `artefacts`: every file that a job made: `path`, `bytes`, `sha256`, `deterministic`
          (whether every run writes these bytes), `job` (its number among the jobs); of a folder
          also `files`, and its `sha256` is that of its listing, see `fingerprint`.
    """
    environments: list[dict[str, Any]] = []
    for record in records:
        if record["environment"] not in environments:
            environments.append(record["environment"])
    return {
        "schema": SCHEMA,
        "run": _span(records),
        "git": git_state(REPOSITORY),
        "lock": lock_state(),
        "environments": environments,
        "jobs": [
            _job(record, path, environments.index(record["environment"]))
            for record, path in zip(records, paths, strict=True)
        ],
        "artefacts": [
            {key: held for key, held in output.items() if key not in ("name", "has_origin")}
            | {"job": number}
            for number, record in enumerate(records)
            for output in record["outputs"]
        ],
    }


def lock_state(lock: Path | None = None) -> dict[str, Any]:
    """`path` (below the repository) and `sha256` of the lock of packages; the hash is None where
    there is none.

    Args:
        lock: The file; None: the repository's.
    """
    file = lock or REPOSITORY / LOCK
    return {"path": str(LOCK), "sha256": sha256_of(file) if file.is_file() else None}


def redo_commands(git: Mapping[str, Any], environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Shell commands that repeat the run from a clone whose config.yaml is the configuration that
    the report shows.

    Args:
        git: Of the code that made the report.
        environments: Of the jobs; where all ran at one commit, that is checked out.
    """
    commits = {environment["code"]["commit"] for environment in environments}
    commit = commits.pop() if len(commits) == 1 else git["commit"]
    checkout = [f"git checkout {commit}"] if commit else []
    return [*checkout, "make install", ".venv/bin/snakemake report"]


def _job(record: Record, path: Path, environment: int) -> dict[str, Any]:
    """A job for `report.json`.

    `environment` is a number among the environments, `origin` the file of its record.
    """
    same = (
        "rule",
        "stage",
        "wildcards",
        "params",
        "seed",
        "threads",
        "started",
        "seconds",
        "cpu_seconds",
        "peak_mb",
    )
    return {key: record[key] for key in same} | {
        "environment": environment,
        "inputs": list(chain.from_iterable(record["inputs"].values())),
        "outputs": [output["path"] for output in record["outputs"]],
        "origin": str(path),
    }


def _span(records: Sequence[Record]) -> dict[str, Any]:
    spans = [
        (datetime.fromisoformat(record["started"]), timedelta(seconds=record["seconds"]))
        for record in records
    ]
    started = min((start for start, _ in spans), default=None)
    ended = max((start + length for start, length in spans), default=None)
    told = [moment.isoformat(timespec="seconds") if moment else None for moment in (started, ended)]
    return {"started": told[0], "ended": told[1], "targets": None}
