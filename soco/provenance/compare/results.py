"""The results of two runs: AP by task, initialisation and seed, and other values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from soco.config import FinetuneConfig
from soco.config.effects import runtime_keys
from soco.provenance.changes import Change, changes, plural, value_words
from soco.provenance.compare.sections import Section, changed_section
from soco.provenance.reading import Run
from soco.report.seed_statistics import PARTS, mean_std, unlike_keys

SHOWN = ("AP", "AP50", "AP75")
_MISSING = {"a": None, "b": None, "difference": None}
# Keys of the protocol that have sections of their own: machines, packages, configuration.
_RUNS_ON = ("torch", "device", *runtime_keys(FinetuneConfig))
_OF_PRETRAINING = ("final_loss", "steps", "parameters", "images", "total_batch", "peak_lr")
_OF_PROBE = ("knn", "linear", "classes", "images", "skipped")

Row = dict[str, Any]


def other_section(a: Run, b: Run) -> Section:
    """Counts of proposals, the final loss of each pretraining, the accuracies of each probe."""
    differences = changes(_other_values(a), _other_values(b))
    return changed_section("figures", "Proposals, losses and probes", differences, "value")


def result_section(a: Run, b: Run) -> Section:
    """Every AP of both runs, and the means over seeds.

    Two AP are compared only if their protocols, and what they were scored on, are the same;
    otherwise the section names the keys that differ, and gives both AP.
    """
    tasks = [{task["task"]: task["rows"] for task in run["results"]} for run in (a, b)]
    entries = [
        {"task": task} | entry
        for task in dict.fromkeys([*tasks[0], *tasks[1]])
        for entry in _entries(tasks[0].get(task, []), tasks[1].get(task, []))
    ]
    lines = tuple(_words(entry) for entry in entries if entry["state"] != "same")
    heading = f"Results: {_heading(entries)}."
    return Section("results", heading, bool(lines), lines, {"entries": entries})


def _other_values(run: Run) -> dict[str, Any]:
    report = run.report
    counts = dict(report.get("proposals", {}).get("counts", {}))
    counts.pop("origin", None)
    values: dict[str, Any] = {"proposals": counts} if counts else {}
    for entry in report.get("pretraining", []):
        kept = {key: entry[key] for key in _OF_PRETRAINING if key in entry}
        values[f"pretraining {entry['run']}"] = kept
    for entry in report.get("probes", []):
        kept = {key: entry[key] for key in _OF_PROBE if key in entry}
        values[f"probe {entry['probe']} {entry['initialisation']}"] = kept
    return values


def _entries(a: Sequence[Row], b: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for each seed, and one for the mean of an initialisation with several seeds."""
    rows = [{(row["initialisation"], row["seed"]): row for row in side} for side in (a, b)]
    entries = [
        {"initialisation": name[0], "seed": name[1]} | _pair(rows[0].get(name), rows[1].get(name))
        for name in dict.fromkeys([*rows[0], *rows[1]])
    ]
    for initialisation in dict.fromkeys(row["initialisation"] for row in a):
        own = [[row for row in side if row["initialisation"] == initialisation] for side in (a, b)]
        seeds = [[row["seed"] for row in side] for side in own]
        if own[1] and (seeds[0] != seeds[1] or len(seeds[0]) > 1):
            entries.append({"initialisation": initialisation, "seeds": seeds} | _means(*own))
    return entries


def _pair(a: Row | None, b: Row | None) -> dict[str, Any]:
    """Two rows of one seed: `state`, `protocol` (what differs in it) and `figures`."""
    if a is None or b is None:
        figures = {
            part: _paired((a or {}).get(part, {}), (b or {}).get(part, {})) for part in PARTS
        }
        return {"state": "only in A" if a else "only in B", "protocol": {}, "figures": figures}
    figures = {part: _paired(a[part], b[part]) for part in PARTS}
    categories = {
        part: _paired(*({n: c[part] for n, c in row["per_category"].items()} for row in (a, b)))
        for part in PARTS
    }
    state = _state([a, b], [*figures.values(), *categories.values()])
    return state | {"figures": figures, "per_category": categories}


def _means(a: list[Row], b: list[Row]) -> dict[str, Any]:
    """Means and standard deviations over seeds, as `_pair` has figures."""
    figures: dict[str, Any] = {}
    for part in PARTS:
        names = dict.fromkeys(name for row in a + b for name in row[part])
        one, other = (
            {name: mean_std([row[part].get(name) for row in side]) for name in names}
            for side in (a, b)
        )
        figures[part] = {
            name: {
                "a": one[name],
                "b": other[name],
                "difference": _difference(one[name]["mean"], other[name]["mean"]),
            }
            for name in names
        }
    return _state([*a, *b], list(figures.values())) | {"figures": figures}


def _state(rows: list[Row], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """`state` (same, other, other protocol), and `protocol`: the keys that differ."""
    protocol = {k: values for k, values in unlike_keys(rows).items() if k not in _RUNS_ON}
    same = not any(_is_other(entry) for part in parts for entry in part.values())
    state = "other protocol" if protocol else "same" if same else "other"
    return {"state": state, "protocol": protocol}


def _paired(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "a": a.get(name),
            "b": b.get(name),
            "difference": _difference(a.get(name), b.get(name)),
        }
        for name in dict.fromkeys([*a, *b])
    }


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _is_other(entry: Mapping[str, Any]) -> bool:
    """Whether a value differs, or a mean: with other seeds the deviation always does."""
    one, other = entry["a"], entry["b"]
    if isinstance(one, Mapping):
        one, other = one["mean"], other["mean"]
        if one is not None and other is not None:  # sums of more rows round differently
            return not math.isclose(one, other, rel_tol=1e-9)
    return bool(one != other)


def _heading(entries: list[dict[str, Any]]) -> str:
    rows = [entry for entry in entries if "seed" in entry]
    same = sum(entry["state"] == "same" for entry in rows)
    if not rows:
        return "neither has an AP"
    if same == len(rows):
        return f"the same, {same} AP with all their metrics"
    return f"{same} of {len(rows)} AP the same"


def _words(entry: Mapping[str, Any]) -> str:
    parts = [
        f"{part} {words}"
        for part in PARTS
        if (words := _part_words(entry["figures"][part], entry["state"]))
    ]
    values = "; ".join(parts) or "AP, AP50 and AP75 the same, other metrics not"
    line = f"{entry['task']}, {entry['initialisation']}, {_seed_words(entry)}: {values}"
    if entry["state"].startswith("only"):
        return f"{line} ({entry['state']})"
    if entry["state"] == "other protocol":
        keys = ", ".join(_protocol_words(key, values) for key, values in entry["protocol"].items())
        return f"{line}. Not comparable, because the protocols differ: {keys}."
    return line


def _seed_words(entry: Mapping[str, Any]) -> str:
    if "seed" in entry:
        return f"seed {entry['seed']}"
    counts = dict.fromkeys(plural(len(seeds), "seed") for seeds in entry["seeds"])
    return " and of ".join(["mean of " + next(iter(counts)), *list(counts)[1:]])


def _protocol_words(key: str, values: Sequence[Any]) -> str:
    if len(values) == 2:
        return Change(key, *values).words()
    return f"{key} {' or '.join(dict.fromkeys(map(value_words, values)))}"


def _part_words(figures: Mapping[str, Mapping[str, Any]], state: str) -> str:
    """`AP 20.47 -> 21.02 (+0.55)` for those of AP, AP50 and AP75 that differ."""
    parts = []
    for name in SHOWN:
        entry = figures.get(name, _MISSING)
        if state.startswith("only"):
            parts.append(f"{name} {_value_words(entry['a' if state == 'only in A' else 'b'])}")
        elif _is_other(entry):
            signed = entry["difference"] is not None and state == "other"
            difference = f" ({entry['difference']:+.2f})" if signed else ""
            parts.append(
                f"{name} {_value_words(entry['a'])} -> {_value_words(entry['b'])}{difference}"
            )
    return ", ".join(parts)


def _value_words(value: float | Mapping[str, float | None] | None) -> str:
    if isinstance(value, Mapping):
        spread = "" if value["std"] is None else f" ± {value['std']:.2f}"
        return f"{_value_words(value['mean'])}{spread}"
    return "–" if value is None else f"{value:.2f}"
