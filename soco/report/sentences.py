"""Sentences about the AP tables, which claim no more than the seeds support."""

from collections.abc import Mapping, Sequence
from typing import Any

from soco.data import coco
from soco.report.protocol import value_words

_MINUS = "\u2212"


def summary_sentences(task: Mapping[str, Any]) -> list[str]:
    """One sentence per initialisation on its box AP, compared with scratch if the task has it.

    Args:
        task: An entry of `results` in report.json.
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
    """What the differences of an initialisation from scratch are based on.

    Args:
        entry: An entry of a task's `differences`.
    """
    if entry["box"]["AP"]["low"] is None:
        words = f"{_seed_counts(entry)}: no confidence interval"
    else:
        words = f"{_seed_counts(entry)}; in small type: 95 % confidence interval (Welch)"
    return f"{words}. {_unlike(entry)}" if entry["unlike"] else words


def paired_words(entry: Mapping[str, Any]) -> str:
    """What a paired comparison is based on, and what each of its pretrainings alone says.

    Args:
        entry: An entry of a task's `paired`, or of its `alone`.
    """
    words = f"{len(entry['seeds'])} seeds: {', '.join(map(str, entry['seeds']))}"
    if alone := entry.get("alone"):
        verdicts = [each["box"]["verdict"] for each in alone]
        counts = (f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts))
        words += f"; box AP of each pretraining alone: {', '.join(counts)}"
    return f"{words}. {_unlike(entry)}" if entry["unlike"] else words


def limit_sentences(task: Mapping[str, Any]) -> list[str]:
    """Warnings if the limit of detections per image is not the format's own, or too low.

    Args:
        task: An entry of `results` in report.json.
    """
    sentences: dict[str, None] = {}
    for row in task["rows"]:
        limit, over = row["protocol"].get("detections_per_image"), row.get("over_limit", {})
        if limit is not None:
            sentences |= dict.fromkeys(
                coco.limit_sentences(task["format"], limit, over, row["images"], task["task"])
            )
    return list(sentences)


def commit_words(report: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> str:
    """Which code ran.

    Args:
        report: The code that made the report, see `soco.environment.git_state`.
        jobs: The code of each environment of the jobs.
    """
    ran = list(dict.fromkeys(map(_commit, jobs)))
    if ran in ([], [_commit(report)]):
        return f"commit {_commit(report)}"
    return f"the jobs ran at commit {' and '.join(ran)}, this report was made at {_commit(report)}"


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign, `+1.2` or `−0.4`; a dash for None."""
    if value is None:
        return "–"
    # Adding 0.0 turns -0.0 into 0.0.
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", _MINUS)


def _commit(code: Mapping[str, Any]) -> str:
    if not code["commit"]:
        return "unknown"
    return code["commit"][:12] + (" with uncommitted changes" if code["dirty"] else "")


def _reached(entry: Mapping[str, Any]) -> str:
    mean = entry["box"]["AP"]["mean"]
    if mean is None:
        return f"{entry['label']} has no box AP"
    seeds = f", the mean of {entry['n']} seeds" if entry["n"] > 1 else ""
    return f"{entry['label']} reaches box AP {mean:.1f}{seeds}"


def _compared(entry: Mapping[str, Any]) -> str:
    difference = entry["box"]["AP"]
    if difference["mean"] is None:
        return ""
    words = f". The difference is {signed(difference['mean'])}"
    if difference["low"] is None:
        words += f" ({_seed_counts(entry)}), without a confidence interval: it may be chance"
    else:
        low, high = (round(difference[end], 1) for end in ("low", "high"))  # as they are shown
        chance = ", so it may be chance" if low <= 0 <= high else ""
        words += (
            f", 95 % confidence interval {signed(low)} to {signed(high)} over the seeds{chance}"
        )
    return f"{words}. {_unlike(entry)}" if entry["unlike"] else words


def _unlike(entry: Mapping[str, Any]) -> str:
    pairs = (
        f"{key} {' and '.join(map(value_words, values))}" for key, values in entry["unlike"].items()
    )
    return f"Their protocols differ: {'; '.join(pairs)}"


def _seed_counts(entry: Mapping[str, Any]) -> str:
    own, scratch = ("1 seed" if n == 1 else f"{n} seeds" for n in entry["seeds"])
    return f"{own} against {scratch}"
