"""What the page's tables of AP hold, made from the report's content."""

from typing import Any

from soco.report.categories import DRAWN, LISTED
from soco.report.differences import BASELINE
from soco.report.protocol import named_words, protocol_table, seed_words, setting_words, value_words
from soco.report.seeds import PARTS
from soco.report.sentences import difference_words, limit_sentences

_FIGURES = {"coco": ("AP", "AP50", "AP75"), "lvis": ("AP", "AP50", "AP75", "APr", "APc", "APf")}
FILES = 20
_DETECTORS = {"fpn": "R50-FPN", "c4": "R50-C4"}


def ap_table(task: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """A task with its tables: its own rows, and the paper's of the same data set format and
    detectors.

    Args:
        task: An entry of `results` in the report's content.
        content: The report's.

    Returns:
        The task's keys, and `figures` (names of the columns), `lines` (one a row of `summary`: it,
        and its protocol in `words`), `several` (whether any row is a mean), `unlike` (a sentence an
        initialisation whose seeds are of unlike protocol), `limits` (sentences on the detections
        that AP counts), `protocols`, `differences` with `words`, `paper_rows`, `paper_differences`
        (those from its scratch, of the same detector), `paper_protocol`, `listed` (the categories
        of the table), `left` (how many more there are), `drawn` (how many the figure has), `alike`
        (iterations and batch_size, if all rows have the same), `found` and `mended` (whether the
        checks found anything, mended the validation half).
    """
    found = {_DETECTORS.get(entry["protocol"].get("architecture", "")) for entry in task["summary"]}
    paper = content["paper"][task["format"]]
    rows = [row for row in paper["rows"] if row["detector"] in found] or paper["rows"]
    categories = task["categories"]
    return task | {
        "figures": _FIGURES[task["format"]],
        "lines": [entry | {"words": _words(entry)} for entry in task["summary"]],
        "several": any(entry["n"] > 1 for entry in task["summary"]),
        "unlike": _unlike(task["summary"]),
        "limits": limit_sentences(task),
        "protocols": protocol_table(task["summary"]),
        "differences": [
            entry | {"words": difference_words(entry)} for entry in task["differences"]
        ],
        "paper_differences": _paper_differences(rows) if task["differences"] else [],
        "paper_rows": [_as_means(row) for row in rows],
        "paper_protocol": paper["protocol"],
        "listed": categories[:LISTED],
        "left": max(0, len(categories) - LISTED),
        "drawn": min(DRAWN, len(categories)),
        "alike": _alike(task["rows"]),
        "found": any(
            entry["dataset"] == task["dataset"] and entry["findings"]
            for entry in content["findings"]
        ),
        "mended": any(
            entry["dataset"] == task["dataset"] and entry["val_mended"]
            for entry in content["findings"]
        ),
    }


def loading_lists(loading: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the loadings that took something, one for each task and initialisation.

    Its seeds load the same file.
    """
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in loading:
        if entry["taken"]["tensors"]:
            first.setdefault((entry["task"], entry["initialisation"]), entry)
    return list(first.values())


def files_shown(content: dict[str, Any]) -> dict[str, Any]:
    """`listed_files`, the first artefacts of each rule (`most_files`) with its name; `left_files`,
    how many more.

    Args:
        content: The report's; a set of millions of images has thousands of shards.
    """
    listed: dict[str, list[dict[str, Any]]] = {}
    for file in content["artefacts"]:
        of_rule = listed.setdefault(content["jobs"][file["job"]]["rule"], [])
        of_rule += [file] if len(of_rule) < FILES else []
    told = [file | {"rule": rule} for rule, files in listed.items() for file in files]
    return {
        "listed_files": told,
        "left_files": len(content["artefacts"]) - len(told),
        "most_files": FILES,
    }


def _words(entry: dict[str, Any]) -> list[str]:
    protocol = entry["protocol"]
    return [seed_words(entry["seeds"]), named_words(protocol), setting_words(protocol)]


def _unlike(summary: list[dict[str, Any]]) -> list[str]:
    differing = {entry["initialisation"]: entry["differs"] for entry in summary if entry["differs"]}
    return [
        f"The seeds of {initialisation} are of unlike protocol and not averaged: "
        + "; ".join(
            f"{key} {' and '.join(map(value_words, values))}" for key, values in differs.items()
        )
        for initialisation, differs in differing.items()
    ]


def _alike(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    settings = [
        {key: row["protocol"].get(key) for key in ("iterations", "batch_size")} for row in rows
    ]
    return settings[0] if all(held == settings[0] for held in settings) else None


def _paper_differences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    scratch = {row["detector"]: row for row in rows if row["initialisation"] == BASELINE}
    return [
        {"label": row["initialisation"], "detector": row["detector"], "epochs": row["epochs"]}
        | {
            part: {
                name: {
                    "mean": value - scratch[row["detector"]][part][name],
                    "low": None,
                    "high": None,
                }
                for name, value in row[part].items()
            }
            for part in PARTS
        }
        for row in rows
        if row["detector"] in scratch and row["initialisation"] != BASELINE
    ]


def _as_means(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the paper in the form of a summary's: its figures stand alone."""
    return row | {
        part: {name: {"mean": value, "std": None} for name, value in row[part].items()}
        for part in PARTS
    }
