"""Collect the content of report.json from the files of a run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soco.data.stores.parquet import read_table
from soco.data.stores.schema import RECT_COLUMNS, SKIPPED_SCHEMA
from soco.jobs import read_record
from soco.report.data import data_sets
from soco.report.drawing.training_curve import curve_of
from soco.report.inputs import (
    ConversionFiles,
    EvaluationFiles,
    FindingsFiles,
    PretrainFiles,
    ProbeFiles,
    ReportInputs,
)
from soco.report.paper import PROTOCOL, paper_rows
from soco.report.pooling import recipes_of
from soco.report.provenance import provenance, redo_commands, rule_resources
from soco.report.reading import plain, read_json, read_lines, read_object
from soco.report.results import task_results

SKIPPED_SHOWN = 50


def collect(inputs: ReportInputs, store: pa.Table) -> dict[str, Any]:
    """Collect the content of report.json.

    Args:
        inputs: The files.
        store: The merged proposals, already read.

    Returns:
        Plain values, see `soco.report.schema.Report`.

    Raises:
        UserError: A file is missing or malformed.
    """
    records = [read_record(path) for path in inputs.origins]
    origin = provenance(records, inputs.origins)
    content: dict[str, Any] = plain(
        origin
        | {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": inputs.config["seed"],
            "config": inputs.config,
            "demo": bool(inputs.config.get("demo")),
            "pretraining": [
                _pretraining(files, inputs.config["pretrain"][files.run])
                for files in inputs.pretrain
            ],
            "proposals": _proposals(inputs, store),
            "quality": _quality(inputs),
            "findings": [set_findings(files) for files in inputs.findings],
            "results": _results(inputs, origin["artefacts"]),
            "paper": {
                form: {"protocol": PROTOCOL[form], "rows": paper_rows(form)} for form in PROTOCOL
            },
            "conversion": [_conversion(files) for files in inputs.conversions],
            "loading": [_loading(files) for files in inputs.evaluations if files.loading],
            "probes": [_probe(files) for files in inputs.probes],
            "resources": rule_resources(records),
            "data": data_sets(inputs.config, records),
            "redo": redo_commands(origin["git"], origin["environments"]),
        }
    )
    return content


def set_findings(files: FindingsFiles) -> dict[str, Any]:
    """Read what the checks found in one detection set.

    Returns:
        An entry of `findings` in `soco.report.schema.Report`.

    Raises:
        UserError: The file is missing or malformed.
    """
    content = read_object(files.findings, "splits", "findings")
    repaired = bool(content["splits"].get("val", {}).get("repaired"))
    return content | {"dataset": files.dataset, "val_repaired": repaired}


def spread(counts: np.ndarray) -> dict[str, float]:
    """Smallest, median, mean and largest of at least one count."""
    return {
        "smallest": int(counts.min()),
        "median": float(np.median(counts)),
        "mean": float(counts.mean()),
        "largest": int(counts.max()),
    }


def _results(inputs: ReportInputs, artefacts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tasks; each row with `artefact`, the index of its metrics.json among the artefacts."""
    indices = {artefact["path"]: index for index, artefact in enumerate(artefacts)}
    tasks = task_results(inputs.evaluations, recipes_of(inputs.config))
    for task in tasks:
        files = [files for files in inputs.evaluations if files.task == task["task"]]
        for row, of_row in zip(task["rows"], files, strict=True):
            row["artefact"] = indices.get(str(of_row.metrics))
    return tasks


def _pretraining(files: PretrainFiles, settings: dict[str, Any]) -> dict[str, Any]:
    # A run that was stopped and resumed may have logged a step twice; the later line counts.
    lines = {line["step"]: line for line in read_lines(files.log)}
    pairs = len(settings["views"]) - 1
    return read_object(files.metrics, "architecture") | {
        "run": files.run,
        "pairs": pairs,
        # Each pair adds -2 cos, symmetrised: at least -4 (SoCo section 3.3).
        "loss_floor": -4 * pairs,
        "curve": curve_of([lines[step] for step in sorted(lines)]),
    }


def _proposals(inputs: ReportInputs, store: pa.Table) -> dict[str, Any]:
    skipped = read_table(inputs.skipped, SKIPPED_SCHEMA)
    return {
        "counts": read_json(inputs.summary),
        "regions_per_image": spread(store["regions"].to_numpy().astype(np.int64)),
        "proposals_per_image": spread(pc.list_value_length(store[RECT_COLUMNS[0]]).to_numpy()),
        "skipped": len(skipped),
        "skipped_first": skipped.slice(0, SKIPPED_SHOWN).to_pylist(),
    }


def _quality(inputs: ReportInputs) -> dict[str, Any]:
    keys = ("engines", "drawn", "objects", "images")
    return {
        "statistics": read_object(inputs.statistics, "regions", "proposals", "without_proposals"),
        "recall": [
            read_object(files.recall, *keys) | {"dataset": files.dataset} for files in inputs.recall
        ],
    }


def _conversion(files: ConversionFiles) -> dict[str, Any]:
    summary = read_object(files.summary)
    differences = summary.get("feature_differences") or {}
    return summary | {
        "run": files.pretrained,
        "kind": files.kind,
        "file": str(files.weights),
        "largest_difference": max(differences.values(), default=None),
    }


def _probe(files: ProbeFiles) -> dict[str, Any]:
    keys = ("backbone", "classes", "images", "skipped", "commonest_class", "knn", "linear", "seed")
    metrics = read_object(files.metrics, *keys)
    return metrics | {"probe": files.probe, "initialisation": files.initialisation}


def _loading(files: EvaluationFiles) -> dict[str, Any]:
    assert files.loading is not None
    return read_object(files.loading, "taken", "fresh", "fresh_names", "unused_names") | {
        "task": files.task,
        "initialisation": files.initialisation,
        "seed": files.seed,
    }
