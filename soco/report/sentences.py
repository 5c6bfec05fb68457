"""What a reader should take from the tables of AP, in sentences that claim no more than the seeds allow."""

from collections.abc import Mapping, Sequence
from typing import Any

from soco.data import coco
from soco.report.protocol import value_words

_MINUS = "\u2212"


def summary_sentences(task: Mapping[str, Any]) -> list[str]:
    """One sentence an initialisation on its box AP; where scratch is among them, the others are
    held against it.

    Args:
        task: An entry of `results` in the report's content.
    """
    against = {entry["label"]: entry for entry in task["differences"]}
    if not against:
        return [f"{task['task']}: {_reached(entry)}." for entry in task["summary"]]
    scratch = next(entry for entry in task["summary"] if entry["label"] not in against)
    return [
        f"{task['task']}: {_reached(entry)};"
        f" {_reached(scratch)}{_compared(against[entry['label']])}."
        for entry in task["summary"]
        if entry is not scratch
    ]


def difference_words(entry: Mapping[str, Any]) -> str:
    """What the differences of an initialisation from scratch stand on.

    Args:
        entry: Of `differences` of a task.
    """
    told = _numbers(entry)
    if entry["box"]["AP"]["low"] is None:
        told += ": no telling how much is chance"
    else:
        told += "; in small figures the 95 % interval over them (Welch)"
    if entry["unlike"]:
        return f"{told}. {_unlike(entry)}"
    return told


def limit_sentences(task: Mapping[str, Any]) -> list[str]:
    """How many detections an image AP counts where that is not the format's own number, and where
    it is too few.

    Args:
        task: An entry of `results` in the report's content.
    """
    told: list[str] = []
    for row in task["rows"]:
        limit = row["protocol"].get("detections_per_image")
        if limit is not None:
            told += coco.limit_sentences(
                task["format"], limit, row.get("over_limit", {}), row["images"], task["task"]
            )
    return list(dict.fromkeys(told))


def commit_words(report: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> str:
    """Which code the run had.

    Args:
        report: Of the report itself, see `soco.environment.git_state`.
        jobs: Of each environment of the jobs.
    """
    ran = list(dict.fromkeys(map(_commit, jobs)))
    if ran in ([], [_commit(report)]):
        return f"commit {_commit(report)}"
    return f"the jobs ran at commit {' and '.join(ran)}, this report was made at {_commit(report)}"


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign, `+1.2` or `−0.4`; a dash for None."""
    # Adding 0.0 takes the sign from what rounds to nothing.
    return (
        "–" if value is None else f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", _MINUS)
    )


def _commit(code: Mapping[str, Any]) -> str:
    if not code["commit"]:
        return "unknown"
    return code["commit"][:12] + (" with uncommitted changes" if code["dirty"] else "")


def _reached(entry: Mapping[str, Any]) -> str:
    mean = entry["box"]["AP"]["mean"]
    if mean is None:
        return f"{entry['label']} has no box AP"
    return f"{entry['label']} reaches box AP {mean:.1f}" + (
        f", the mean of {entry['n']} seeds" if entry["n"] > 1 else ""
    )


def _compared(entry: Mapping[str, Any]) -> str:
    found = entry["box"]["AP"]
    if found["mean"] is None:
        return ""
    said = f". The difference is {signed(found['mean'])}"
    if found["low"] is None:
        said += f", of {_numbers(entry)}: no telling how much is chance"
    else:
        # Judged by the figures that are shown.
        chance = (
            ", so it may be chance"
            if round(found["low"], 1) <= 0 <= round(found["high"], 1)
            else ""
        )
        said += (
            f", with 95 % confidence {signed(found['low'])} to {signed(found['high'])} over the"
            f" seeds{chance}"
        )
    return f"{said}. {_unlike(entry)}" if entry["unlike"] else said


def _unlike(entry: Mapping[str, Any]) -> str:
    told = "; ".join(
        f"{key} {' and '.join(map(value_words, values))}" for key, values in entry["unlike"].items()
    )
    return f"Their protocols differ: {told}"


def _numbers(entry: Mapping[str, Any]) -> str:
    own, scratch = map(_seeds, entry["seeds"])
    return f"{own} against {scratch}"


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
