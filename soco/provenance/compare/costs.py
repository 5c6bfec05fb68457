"""Time and memory of two runs, rule by rule."""

from collections.abc import Callable
from typing import Any

import humanize

from soco.provenance.compare.sections import Section
from soco.provenance.reading import Run

NEAR = 0.1
_TRIFLE_SECONDS, _TRIFLE_MB = 1.0, 50.0


def cost_section(a: Run, b: Run) -> Section:
    """The seconds of all jobs of a rule together, and the peak memory, if over 10 % apart."""
    rules = [{entry["rule"]: entry for entry in run.report.get("resources", [])} for run in (a, b)]
    keys = ("jobs", "total_seconds", "peak_rss_mb")
    entries = [
        {"rule": rule} | {key: [side.get(rule, {}).get(key) for side in rules] for key in keys}
        for rule in dict.fromkeys([*rules[0], *rules[1]])
    ]
    lines = tuple(line for entry in entries if (line := _words(entry)))
    near = len(entries) - len(lines)
    if lines:
        heading = f"Time and memory of rules{f'; {near} others within 10 %' if near else ''}:"
    else:
        heading = f"Time and memory: {'within 10 % in every rule' if entries else 'not recorded'}."
    return Section("costs", heading, bool(lines), lines, {"rules": entries})


def _words(entry: dict[str, Any]) -> str:
    """A line about a rule, or nothing if both sides are near."""
    jobs = entry["jobs"]
    if None in jobs:
        return f"{entry['rule']}: only in {'A' if jobs[1] is None else 'B'}"
    parts = [
        _change(entry["total_seconds"], _TRIFLE_SECONDS, _seconds),
        _change(entry["peak_rss_mb"], _TRIFLE_MB, lambda mb: humanize.naturalsize(mb * 1e6)),
    ]
    changed = ", ".join(part for part in parts if part)
    counted = f" ({jobs[0]} -> {jobs[1]} jobs)" if jobs[0] != jobs[1] else ""
    return f"{entry['rule']}: {changed}{counted}" if changed else ""


def _change(values: list[float | None], trifle: float, words: Callable[[float], str]) -> str:
    one, other = values
    if one is None or other is None or abs(one - other) <= max(trifle, NEAR * max(one, other)):
        return ""
    return f"{words(one)} -> {words(other)}" + (f" ({(other - one) / one:+.0%})" if one else "")


def _seconds(seconds: float) -> str:
    """`30.5 s` or `215 s`: units of humanize would hide differences of 10 %."""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
