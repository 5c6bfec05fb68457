"""Where the results come from: the jobs, their environments, every file's hash, time and memory."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from soco.environment import REPOSITORY, git_state
from soco.io import sha256_of
from soco.jobs import Record
from soco.report.schema import SCHEMA

LOCK = Path("envs", "requirements.lock")
_JOB = (
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


def provenance(records: Sequence[Record], paths: Iterable[Path]) -> dict[str, Any]:
    """Collect what distinguishes one run from another, apart from its configuration.

    Args:
        records: Records of all jobs, in the order of the stages.
        paths: The files of these records.

    Returns:
        `schema`, `run`, `git`, `lock`, `environments`, `jobs` and `artefacts` of report.json, see
        `soco.report.schema.Report`.
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
            {key: value for key, value in output.items() if key not in ("name", "has_origin")}
            | {"job": number}
            for number, record in enumerate(records)
            for output in record["outputs"]
        ],
    }


def lock_state(lock: Path | None = None) -> dict[str, Any]:
    """Path in the repository and SHA-256 of the file that pins the packages.

    Args:
        lock: The file; None: the repository's.

    Returns:
        `path` and `sha256`, which is None if there is no such file.
    """
    file = lock or REPOSITORY / LOCK
    return {"path": str(LOCK), "sha256": sha256_of(file) if file.is_file() else None}


def redo_commands(git: Mapping[str, Any], environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Shell commands that repeat the run, in a clone whose config.yaml is the report's.

    Args:
        git: State of the code that made the report.
        environments: Environments of the jobs; their commit is checked out if they share one.
    """
    commits = {environment["code"]["commit"] for environment in environments}
    commit = commits.pop() if len(commits) == 1 else git["commit"]
    checkout = [f"git checkout {commit}"] if commit else []
    return [*checkout, "make install", ".venv/bin/snakemake report"]


def rule_resources(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Add up time and memory of each rule's jobs.

    Returns:
        One entry per rule, the slowest first, see `soco.report.schema.Resources`.
    """
    jobs: dict[str, list[Record]] = {}
    for record in records:
        jobs.setdefault(record["rule"], []).append(record)
    rules = [
        {
            "rule": rule,
            "stage": of_rule[0]["stage"],
            "jobs": len(of_rule),
            "total_seconds": round(sum(job["seconds"] for job in of_rule), 2),
            "longest_seconds": max(job["seconds"] for job in of_rule),
            "cpu_seconds": round(sum(job["cpu_seconds"] for job in of_rule), 2),
            "peak_rss_mb": max(job["peak_mb"] for job in of_rule),
        }
        for rule, of_rule in jobs.items()
    ]
    return sorted(rules, key=lambda entry: (-entry["total_seconds"], entry["rule"]))


def stage_costs(
    rules: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Add up the rules of each stage.

    Args:
        rules: From `rule_resources`.
        jobs: The jobs of report.json, whose order is that of the stages.

    Returns:
        `stage`, `total_seconds`, `cpu_seconds` and `peak_rss_mb` of each stage, in order.
    """
    costs = []
    for stage in dict.fromkeys(job["stage"] for job in jobs):
        entries = [entry for entry in rules if entry["stage"] == stage]
        costs.append(
            {
                "stage": stage,
                "total_seconds": math.fsum(entry["total_seconds"] for entry in entries),
                "cpu_seconds": math.fsum(entry["cpu_seconds"] for entry in entries),
                "peak_rss_mb": max(entry["peak_rss_mb"] for entry in entries),
            }
        )
    return costs


def _job(record: Record, path: Path, environment: int) -> dict[str, Any]:
    return {key: record[key] for key in _JOB} | {
        "environment": environment,
        "inputs": list(chain.from_iterable(record["inputs"].values())),
        "outputs": [output["path"] for output in record["outputs"]],
        "origin": str(path),
    }


def _span(records: Sequence[Record]) -> dict[str, Any]:
    starts = [datetime.fromisoformat(record["started"]) for record in records]
    ends = [
        start + timedelta(seconds=record["seconds"])
        for start, record in zip(starts, records, strict=True)
    ]
    first, last = min(starts, default=None), max(ends, default=None)
    return {
        "started": first and first.isoformat(timespec="seconds"),
        "ended": last and last.isoformat(timespec="seconds"),
        "targets": None,
    }
