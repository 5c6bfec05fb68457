"""What a reader should take from the tables of AP, in sentences that claim no more than the seeds allow."""

from collections.abc import Mapping
from typing import Any

from soco.report.protocol import value_words

_MINUS = "\u2212"


def summary_sentences(task: Mapping[str, Any]) -> list[str]:
    """One sentence an initialisation on its box AP; where scratch is among them, the others are held against it.

    Args:
        task: An entry of `results` in the report's content.
    """
    against = {entry["label"]: entry for entry in task["differences"]}
    if not against:
        return [f"{task['task']}: {_reached(entry)}." for entry in task["summary"]]
    scratch = next(entry for entry in task["summary"] if entry["label"] not in against)
    return [
        f"{task['task']}: {_reached(entry)}; {_reached(scratch)}{_compared(against[entry['label']])}."
        for entry in task["summary"]
        if entry is not scratch
    ]


def difference_words(entry: Mapping[str, Any]) -> str:
    """What the differences of an initialisation from scratch stand on.

    Args:
        entry: Of `differences` of a task.
    """
    own, scratch = entry["seeds"]
    if min(own, scratch) < 2:
        told = f"{_seeds(own)} against {_seeds(scratch)}: no telling how much is chance"
    else:
        told = f"{_seeds(own)} against {_seeds(scratch)}; below, the 95 % interval over them (Welch)"
    if entry["unlike"]:
        return f"{told}. {_unlike(entry)}"
    return told


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign, `+1.2` or `−0.4`; a dash for None."""
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", _MINUS)


def _reached(entry: Mapping[str, Any]) -> str:
    mean = entry["box"]["AP"]["mean"]
    return f"{entry['label']} has no box AP" if mean is None else f"{entry['label']} reaches box AP {mean:.1f}"


def _compared(entry: Mapping[str, Any]) -> str:
    found = entry["box"]["AP"]
    if found["mean"] is None:
        return ""
    said = f". The difference is {signed(found['mean'])}"
    if found["low"] is None:
        said += f", of {_seeds(entry['seeds'][0])} against {_seeds(entry['seeds'][1])}: no telling how much is chance"
    else:
        chance = ", so it may be chance" if found["low"] <= 0 <= found["high"] else ""
        said += f", with 95 % confidence {signed(found['low'])} to {signed(found['high'])} over the seeds{chance}"
    return f"{said}. {_unlike(entry)}" if entry["unlike"] else said


def _unlike(entry: Mapping[str, Any]) -> str:
    told = "; ".join(f"{key} {' and '.join(map(value_words, values))}" for key, values in entry["unlike"].items())
    return f"Their protocols differ: {told}"


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
