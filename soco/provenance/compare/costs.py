"""Time and memory of two runs, rule by rule."""

from typing import Any

from soco.provenance.compare.reading import Run
from soco.provenance.compare.sections import Section

NEAR = 0.1
_TRIFLE_SECONDS, _TRIFLE_MB = 1.0, 50.0


def cost_section(a: Run, b: Run) -> Section:
    """Seconds of all jobs of a rule together and the most memory of one.

    Told where they are more than 10 % apart.
    """
    rules = [{entry["rule"]: entry for entry in run.report.get("resources", [])} for run in (a, b)]
    entries = [
        {"rule": rule} | {
            key: [side[rule].get(key) if rule in side else None for side in rules]
            for key in ("jobs", "total_seconds", "peak_rss_mb")
        }
        for rule in dict.fromkeys([*rules[0], *rules[1]])
    ]  # fmt: skip
    lines = tuple(line for entry in entries if (line := _words(entry)))
    if not lines:
        heading = (
            "Time and memory: within 10 % in every rule."
            if entries
            else "Time and memory: none is told of."
        )
    else:
        near = len(entries) - len(lines)
        heading = "Time and memory of rules" + (f", but for {near} within 10 %:" if near else ":")
    return Section("costs", heading, bool(lines), lines, {"rules": entries})


def _words(entry: dict[str, Any]) -> str:
    """A line, or nothing where both are near.

    A rule that one side did not run is told by its side.
    """
    jobs = entry["jobs"]
    if None in jobs:
        return f"{entry['rule']}: only in {'A' if jobs[1] is None else 'B'}"
    parts = [
        _change(entry["total_seconds"], _TRIFLE_SECONDS, _seconds),
        _change(entry["peak_rss_mb"], _TRIFLE_MB, lambda megabytes: f"{megabytes:.0f} MB"),
    ]
    told = [part for part in parts if part]
    if not told:
        return ""
    counted = f" ({jobs[0]} -> {jobs[1]} jobs)" if jobs[0] != jobs[1] else ""
    return f"{entry['rule']}: {', '.join(told)}{counted}"


def _change(values: list[float | None], trifle: float, words: Any) -> str:
    one, other = values
    if one is None or other is None or abs(one - other) <= max(trifle, NEAR * max(one, other)):
        return ""
    return f"{words(one)} -> {words(other)}" + (f" ({(other - one) / one:+.0%})" if one else "")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
