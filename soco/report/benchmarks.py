"""Time and memory of each rule, from the benchmark files that Snakemake writes beside the results."""

import csv
from pathlib import Path
from typing import Any

# A report cannot hold its own benchmark, which is written after it; what lies there is of an earlier one.
_OWN_RULE = "report"


def read_benchmarks(folder: Path) -> list[dict[str, Any]]:
    """Add up the benchmark files `folder/RULE.tsv` and `folder/RULE/...tsv`, which hold one line a job.

    Returns:
        One entry a rule, the longest first: `rule`, `jobs`, `total_seconds`, `longest_seconds`, `cpu_seconds` (of
        all jobs) and `peak_rss_mb` (of the largest job). What Snakemake did not measure, as in a job of under half
        a second, is None.
    """
    jobs: dict[str, list[dict[str, str]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if rule != _OWN_RULE:
            with path.open(newline="") as file:
                jobs.setdefault(rule, []).extend(csv.DictReader(file, delimiter="\t"))
    rules = [_of_rule(rule, lines) for rule, lines in jobs.items() if lines]
    return sorted(rules, key=lambda entry: (-(entry["total_seconds"] or 0.0), entry["rule"]))


def _of_rule(rule: str, lines: list[dict[str, str]]) -> dict[str, Any]:
    seconds, memory, cpu = (_numbers(lines, column) for column in ("s", "max_rss", "cpu_time"))
    return {
        "rule": rule,
        "jobs": len(lines),
        "total_seconds": sum(seconds) if seconds else None,
        "longest_seconds": max(seconds, default=None),
        "cpu_seconds": sum(cpu) if cpu else None,
        "peak_rss_mb": max(memory, default=None),
    }


def _numbers(lines: list[dict[str, str]], column: str) -> list[float]:
    values = [line.get(column) or "NA" for line in lines]
    return [float(value) for value in values if value not in ("-", "NA")]
