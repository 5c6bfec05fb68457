"""Time and memory of each rule, from the records of its jobs."""

from collections.abc import Sequence
from typing import Any

from soco.origins import Record


def rule_resources(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Add up the jobs of each rule.

    Returns:
        One entry a rule, the longest first: `rule`, `jobs`, `total_seconds`, `longest_seconds`, `cpu_seconds` (of
        all jobs with their child processes) and `peak_rss_mb` (of the largest process of any job).
    """
    jobs: dict[str, list[Record]] = {}
    for record in records:
        jobs.setdefault(record["rule"], []).append(record)
    rules = [_of_rule(rule, of_rule) for rule, of_rule in jobs.items()]
    return sorted(rules, key=lambda entry: (-entry["total_seconds"], entry["rule"]))


def _of_rule(rule: str, jobs: list[Record]) -> dict[str, Any]:
    return {
        "rule": rule,
        "jobs": len(jobs),
        "total_seconds": round(sum(job["seconds"] for job in jobs), 2),
        "longest_seconds": max(job["seconds"] for job in jobs),
        "cpu_seconds": round(sum(job["cpu_seconds"] for job in jobs), 2),
        "peak_rss_mb": max(job["peak_mb"] for job in jobs),
    }
