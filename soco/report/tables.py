"""The contents of the page's tables, made from report.json."""

from typing import Any

from soco.report.ap_figures import DRAWN
from soco.report.protocol import named_words, protocol_table, seed_words, setting_words, value_words
from soco.report.seed_statistics import BASELINE, PARTS
from soco.report.sentences import difference_words, limit_sentences, paired_words

LISTED = 200
FILES = 20
_METRICS = {"coco": ("AP", "AP50", "AP75"), "lvis": ("AP", "AP50", "AP75", "APr", "APc", "APf")}
_DETECTORS = {"fpn": "R50-FPN", "c4": "R50-C4"}


def ap_table(task: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """A task with its tables: its own rows, and the paper's of the same format and detectors.

    Args:
        task: An entry of `results` in report.json.
        content: The content of report.json.

    Returns:
        The task's keys, and `metrics` (names of the columns), `lines` (the rows of `summary`, each
        with its protocol in `words`), `several` (whether any row is a mean), `unlike` (sentences on
        initialisations whose seeds have different protocols), `limits` (sentences on the detections
        that AP counts), `protocols`, `differences` and `paired` with `words`, `paper_rows`,
        `paper_differences` (from scratch with the same detector), `paper_protocol`, `listed`
        (categories of the table), `left` (how many more there are), `drawn` (how many are in the
        figure), `alike` (iterations and batch_size, if all rows share them), `train_images` (how
        many images it was trained on, if its set was checked), `found` and `repaired` (whether the
        checks found anything, or repaired the validation split).
    """
    detectors = {
        _DETECTORS.get(entry["protocol"].get("architecture", "")) for entry in task["summary"]
    }
    paper, categories = content["paper"][task["format"]], task["categories"]
    rows = [row for row in paper["rows"] if row["detector"] in detectors] or paper["rows"]
    checks = [entry for entry in content["findings"] if entry["dataset"] == task["dataset"]]
    return task | {
        "metrics": _METRICS[task["format"]],
        "lines": [entry | {"words": _words(entry)} for entry in task["summary"]],
        "several": any(entry["n"] > 1 for entry in task["summary"]),
        "unlike": _unlike(task["summary"]),
        "limits": limit_sentences(task),
        "protocols": protocol_table(task["summary"]),
        "differences": [
            entry | {"words": difference_words(entry)} for entry in task["differences"]
        ],
        "paired": [_with_words(entry) for entry in task["paired"]],
        "paper_differences": _paper_differences(rows) if task["differences"] else [],
        "paper_rows": [row | _as_summary(row, std=None) for row in rows],
        "paper_protocol": paper["protocol"],
        "listed": categories[:LISTED],
        "left": max(0, len(categories) - LISTED),
        "drawn": min(DRAWN, len(categories)),
        "alike": _alike(task["rows"]),
        "train_images": next((_train_images(entry) for entry in checks), None),
        "found": any(entry["findings"] for entry in checks),
        "repaired": any(entry["val_repaired"] for entry in checks),
    }


def _train_images(check: dict[str, Any]) -> int | None:
    images: int | None = check["splits"].get("train", {}).get("images")
    return images


def loading_lists(loading: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The loadings that used a file, one per task and initialisation: seeds share the file."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in loading:
        if entry["taken"]["tensors"]:
            first.setdefault((entry["task"], entry["initialisation"]), entry)
    return list(first.values())


def files_shown(content: dict[str, Any]) -> dict[str, Any]:
    """The files to list; a set of millions of images has thousands of shards.

    Args:
        content: The content of report.json.

    Returns:
        `listed_files`, the first artefacts of each rule (`most_files`) with its name, and
        `left_files`, how many more there are.
    """
    listed: dict[str, list[dict[str, Any]]] = {}
    for file in content["artefacts"]:
        rule = content["jobs"][file["job"]]["rule"]
        of_rule = listed.setdefault(rule, [])
        if len(of_rule) < FILES:
            of_rule.append(file | {"rule": rule})
    files = [file for of_rule in listed.values() for file in of_rule]
    left = len(content["artefacts"]) - len(files)
    return {"listed_files": files, "left_files": left, "most_files": FILES}


def _words(entry: dict[str, Any]) -> list[str]:
    protocol = entry["protocol"]
    return [seed_words(entry["seeds"]), named_words(protocol), setting_words(protocol)]


def _with_words(entry: dict[str, Any]) -> dict[str, Any]:
    alone = [each | {"words": paired_words(each)} for each in entry["alone"]]
    return entry | {"words": paired_words(entry), "alone": alone}


def _unlike(summary: list[dict[str, Any]]) -> list[str]:
    differing = {entry["initialisation"]: entry["differs"] for entry in summary if entry["differs"]}
    return [
        f"The seeds of {initialisation} have different protocols and are not averaged: "
        + "; ".join(
            f"{key} {' and '.join(map(value_words, values))}" for key, values in differs.items()
        )
        for initialisation, differs in differing.items()
    ]


def _alike(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    settings = [
        {key: row["protocol"].get(key) for key in ("iterations", "batch_size")} for row in rows
    ]
    return settings[0] if all(each == settings[0] for each in settings) else None


def _paper_differences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    scratch = {row["detector"]: row for row in rows if row["initialisation"] == BASELINE}
    return [
        {"label": row["initialisation"], "detector": row["detector"], "epochs": row["epochs"]}
        | _as_summary(row, scratch[row["detector"]], low=None, high=None)
        for row in rows
        if row["detector"] in scratch and row["initialisation"] != BASELINE
    ]


def _as_summary(
    row: dict[str, Any], baseline: dict[str, Any] | None = None, **unknown: None
) -> dict[str, Any]:
    """The AP of a row of the paper in the form of a summary's, minus a baseline's if given."""
    return {
        part: {
            name: {"mean": value - baseline[part][name] if baseline else value} | unknown
            for name, value in row[part].items()
        }
        for part in PARTS
    }
