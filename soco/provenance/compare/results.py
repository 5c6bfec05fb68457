"""What the AP of two runs came to, matched by task, initialisation and seed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from soco.config import FinetuneConfig
from soco.config.effects import runtime_keys
from soco.provenance.compare.changes import Change, value_words
from soco.provenance.compare.reading import Run
from soco.provenance.compare.sections import Section, plural
from soco.report.seeds import PARTS, mean_std, unlike_keys

SHOWN = ("AP", "AP50", "AP75")
_RUNS_ON = ("torch", "device", *runtime_keys(FinetuneConfig))


def result_section(a: Run, b: Run) -> Section:
    """Every row of both runs, and their means where an initialisation has several seeds or other
    ones.

    Two rows are only compared in words as AP where their protocols, and what they were scored on,
    are the same; otherwise the keys that differ are named, and both figures given.
    """
    tasks = [_by_task(run) for run in (a, b)]
    entries = [
        entry
        for task in dict.fromkeys([*tasks[0], *tasks[1]])
        for entry in _entries(task, tasks[0].get(task, []), tasks[1].get(task, []))
    ]
    lines = tuple(_words(entry) for entry in entries if entry["state"] != "same")
    return Section(
        "results", f"Results: {_heading(entries)}.", bool(lines), lines, {"entries": entries}
    )


def _by_task(run: Run) -> dict[str, list[dict[str, Any]]]:
    return {task["task"]: task["rows"] for task in run["results"]}


def _entries(
    task: str, a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One entry a row of either, and one an initialisation of which more than a single seed in common is to be told."""
    rows = [{(row["initialisation"], row["seed"]): row for row in held} for held in (a, b)]
    entries = []
    for start, seed in dict.fromkeys([*rows[0], *rows[1]]):
        compared = _compared(*(held.get((start, seed)) for held in rows))
        entries.append({"task": task, "initialisation": start, "seed": seed} | compared)
    for start in dict.fromkeys(row["initialisation"] for row in a):
        own = [[row for row in held if row["initialisation"] == start] for held in (a, b)]
        seeds = [[row["seed"] for row in held] for held in own]
        if own[1] and (seeds[0] != seeds[1] or len(seeds[0]) > 1):
            entries.append(
                {"task": task, "initialisation": start, "seeds": seeds} | _means(own[0], own[1])
            )
    return entries


def _compared(a: dict[str, Any] | None, b: dict[str, Any] | None) -> dict[str, Any]:
    """`state`, `protocol` (what differs in it) and `figures`.

    Each part's with `a`, `b` and their `difference`.
    """
    if a is None or b is None:
        held = a or b or {}
        figures = {
            part: _figures(held[part] if a else {}, held[part] if b else {}) for part in PARTS
        }
        return {"state": "only in A" if a else "only in B", "protocol": {}, "figures": figures}
    protocol = _protocol([a, b])
    figures = {part: _figures(a[part], b[part]) for part in PARTS}
    categories = {
        part: _figures(_of_categories(a, part), _of_categories(b, part)) for part in PARTS
    }
    told = [*figures.values(), *categories.values()]
    same = not any(_is_other(entry) for part in told for entry in part.values())
    return {
        "state": _state(same, protocol),
        "protocol": protocol,
        "figures": figures,
        "per_category": categories,
    }


def _means(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for part in PARTS:
        names = dict.fromkeys(name for row in a + b for name in row[part])
        spreads = {
            name: [mean_std([row[part].get(name) for row in held]) for held in (a, b)]
            for name in names
        }
        figures[part] = {
            name: {"a": one, "b": other, "difference": _difference(one["mean"], other["mean"])}
            for name, (one, other) in spreads.items()
        }
    protocol = _protocol([*a, *b])
    same = not any(_is_other(entry) for part in figures.values() for entry in part.values())
    return {"state": _state(same, protocol), "protocol": protocol, "figures": figures}


def _protocol(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """What differs in the protocols, but for what the training ran on, which is told apart."""
    return {key: values for key, values in unlike_keys(rows).items() if key not in _RUNS_ON}


def _of_categories(row: Mapping[str, Any], part: str) -> dict[str, float | None]:
    return {name: entry[part] for name, entry in row["per_category"].items()}


def _figures(
    a: Mapping[str, float | None], b: Mapping[str, float | None]
) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "a": a.get(name),
            "b": b.get(name),
            "difference": _difference(a.get(name), b.get(name)),
        }
        for name in dict.fromkeys([*a, *b])
    }


def _state(same: bool, protocol: Mapping[str, Any]) -> str:
    return "other protocol" if protocol else "same" if same else "other"


def _is_other(entry: Mapping[str, Any]) -> bool:
    """Whether a figure, or the mean of one, is not the same.

    With other seeds its deviation hardly can be.
    """
    one, other = entry["a"], entry["b"]
    if isinstance(one, Mapping):  # sums of more rows are rounded otherwise
        one, other = one["mean"], other["mean"]
        return (one is None) != (other is None) or (
            one is not None and not math.isclose(one, other, rel_tol=1e-9)
        )
    return bool(one != other)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _heading(entries: list[dict[str, Any]]) -> str:
    rows = [entry for entry in entries if "seed" in entry]
    same = sum(entry["state"] == "same" for entry in rows)
    if not rows:
        return "neither has an AP"
    if same == len(rows):
        return (
            f"the same, {plural(same, 'AP')} with all their figures"
            if same > 1
            else "the same AP with all its figures"
        )
    return f"{same} of {plural(len(rows), 'AP')} the same" if same else "none of the AP is the same"


def _words(entry: Mapping[str, Any]) -> str:
    place = f"{entry['task']}, {entry['initialisation']}, {_seed_words(entry)}"
    parts = [
        f"{part} {told}"
        for part in PARTS
        if (told := _part_words(entry["figures"][part], entry["state"]))
    ]
    told = f"{place}: {'; '.join(parts) or 'AP, AP50 and AP75 the same, other figures not'}"
    if entry["state"].startswith("only"):
        return f"{told} ({entry['state']})"
    if entry["state"] == "other protocol":
        return (
            f"{told}. Not to be compared, for the protocols differ:"
            f" {_protocol_words(entry['protocol'])}."
        )
    return told


def _seed_words(entry: Mapping[str, Any]) -> str:
    if "seed" in entry:
        return f"seed {entry['seed']}"
    counts = [plural(len(seeds), "seed") for seeds in entry["seeds"]]
    return (
        f"mean of {counts[0]}"
        if counts[0] == counts[1]
        else f"mean of {counts[0]} and of {counts[1]}"
    )


def _protocol_words(protocol: Mapping[str, Sequence[Any]]) -> str:
    return ", ".join(_change_words(key, values) for key, values in protocol.items())


def _change_words(key: str, values: Sequence[Any]) -> str:
    if len(values) == 2:
        return Change(key, *values).words()
    return f"{key} {' or '.join(dict.fromkeys(map(value_words, values)))}"


def _part_words(figures: Mapping[str, Mapping[str, Any]], state: str) -> str:
    """`AP 20.47 -> 21.02 (+0.55)` for AP, AP50 and AP75, but for those that are the same."""
    told = []
    for name in SHOWN:
        entry = figures.get(name, {"a": None, "b": None, "difference": None})
        if state.startswith("only"):
            told.append(f"{name} {_figure(entry['a' if state == 'only in A' else 'b'])}")
        elif _is_other(entry):
            signed = (
                ""
                if entry["difference"] is None or state != "other"
                else f" ({entry['difference']:+.2f})"
            )
            told.append(f"{name} {_figure(entry['a'])} -> {_figure(entry['b'])}{signed}")
    return ", ".join(told)


def _figure(value: float | Mapping[str, float | None] | None) -> str:
    if isinstance(value, Mapping):
        spread = "" if value["std"] is None else f" ± {value['std']:.2f}"
        return f"{_figure(value['mean'])}{spread}"
    return "–" if value is None else f"{value:.2f}"
