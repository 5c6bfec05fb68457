"""Time and memory of each rule, from the records of its jobs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from soco.jobs import Record

# In the order of the work.
STAGES = {
    "data": ("demo_data", "check_dataset"),
    "shards": ("shard_images",),
    "proposals": (
        "search_regions",
        "import_regions",
        "filter_regions",
        "apply_fallbacks",
        "merge_proposals",
    ),
    "their quality": ("describe_proposals", "measure_recall"),
    "pretraining": ("pretrain_model",),
    "conversion": ("convert_weights",),
    "fine-tuning": ("finetune_detector",),
    "evaluation": ("evaluate_detector",),
    "probes": ("probe_backbone",),
}


def rule_resources(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Add up the jobs of each rule.

    Returns:
        One entry a rule, the longest first: `rule`, `stage` (see `STAGES`), `jobs`,
        `total_seconds`, `longest_seconds`, `cpu_seconds` (of all jobs with their child processes)
        and `peak_rss_mb` (of the largest process of any job).
    """
    jobs: dict[str, list[Record]] = {}
    for record in records:
        jobs.setdefault(record["rule"], []).append(record)
    rules = [_of_rule(rule, of_rule) for rule, of_rule in jobs.items()]
    return sorted(rules, key=lambda entry: (-entry["total_seconds"], entry["rule"]))


def stage_of(rule: str) -> str:
    """The stage that a rule is of; `other` for a rule that no stage names."""
    return next((stage for stage, rules in STAGES.items() if rule in rules), "other")


def stage_costs(rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The cost of each stage that ran, in the order of the work.

    Args:
        rules: From `rule_resources`.

    Returns:
        `stage`, `total_seconds`, `cpu_seconds`, `peak_rss_mb`.
    """
    found = {
        stage: [entry for entry in rules if entry["stage"] == stage] for stage in (*STAGES, "other")
    }
    return [
        {"stage": stage, "peak_rss_mb": max(entry["peak_rss_mb"] for entry in entries)}
        | {
            key: math.fsum(entry[key] for entry in entries)
            for key in ("total_seconds", "cpu_seconds")
        }
        for stage, entries in found.items()
        if entries
    ]


def _of_rule(rule: str, jobs: list[Record]) -> dict[str, Any]:
    return {
        "rule": rule,
        "stage": stage_of(rule),
        "jobs": len(jobs),
        "total_seconds": round(sum(job["seconds"] for job in jobs), 2),
        "longest_seconds": max(job["seconds"] for job in jobs),
        "cpu_seconds": round(sum(job["cpu_seconds"] for job in jobs), 2),
        "peak_rss_mb": max(job["peak_mb"] for job in jobs),
    }
