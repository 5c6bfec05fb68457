"""Everything the report says, as one nested mapping of plain values: this is `report.json`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from soco.data.stores.parquet import read_table
from soco.data.stores.schema import SKIPPED_SCHEMA
from soco.jobs import read_record
from soco.report.data import data_sets
from soco.report.drawing.training_curve import curve_of
from soco.report.findings import set_findings
from soco.report.inputs import (
    ConversionFiles,
    EvaluationFiles,
    PretrainFiles,
    ProbeFiles,
    ReportInputs,
)
from soco.report.paper import PROTOCOL, paper_rows
from soco.report.provenance import provenance, redo_commands
from soco.report.reading import plain, read_json, read_lines, read_object
from soco.report.resources import rule_resources
from soco.report.results import task_results
from soco.report.spread import counts_per_image, spread

SKIPPED_SHOWN = 50


def collect(inputs: ReportInputs, store: pa.Table) -> dict[str, Any]:
    """Gather the report's content.

    Args:
        inputs: The files.
        store: The merged proposals, already read.

    Returns:
        By key:

        * `made`: date and time, UTC; `seed`; `config`: the whole configuration; `demo`: whether it
          is the demo's.
        * `pretraining`: one entry a run, its metrics.json with `pairs` of views, `loss_floor`, and
          `curve` (of at most 400 logged steps: step, loss, lr, and where the log has them spread
          and cosine_apart).
        * `proposals`: `counts` (the merge stage's), `regions_per_image` and `proposals_per_image`
          (smallest, median, mean, largest), `skipped` (how many) and `skipped_first` (key and
          reason of the first 50).
        * `quality`: `statistics`, as `soco.proposals.quality.describe_proposals` documents them,
          and `recall`, one entry a detection set: `dataset`, and what
          `soco.proposals.quality.measure_recall` documents.
        * `findings`: one entry a detection set that was checked, see
          `soco.report.findings.set_findings`.
        * `results`: one entry a task, see `soco.report.results.task_results`.
        * `paper`: for each data set format `protocol` and `rows`, as the paper prints them.
        * `conversion`: one entry a converted file, its summary with `largest_difference` of
          features: None where they were not compared.
        * `loading`: one entry an evaluation.
        * `probes`: one entry a probe and initialisation, its metrics.json.
        * `resources`: one entry a rule, see `rule_resources`.
        * `schema`, `run`, `git`, `lock`, `environments`, `jobs`, `artefacts`: see
          `soco.report.provenance.provenance`.
        * `data`: one entry an input, see `soco.report.data.data_sets`.
        * `redo`: shell commands that repeat the run.

    Raises:
        UserError: A file is missing or holds something else.
    """
    records = [read_record(path) for path in inputs.origins]
    origin = provenance(records, inputs.origins)
    content = origin | {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": inputs.config["seed"],
        "config": dict(inputs.config),
        "demo": bool(inputs.config.get("demo")),
        "pretraining": [
            _pretraining(files, inputs.config["pretrain"][files.run]) for files in inputs.pretrain
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
    held: dict[str, Any] = plain(content)
    return held


def _results(inputs: ReportInputs, artefacts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tasks; each row with `artefact`, the number of its file among the artefacts."""
    places = {artefact["path"]: place for place, artefact in enumerate(artefacts)}
    tasks = task_results(inputs.evaluations)
    for task in tasks:
        files = [files for files in inputs.evaluations if files.task == task["task"]]
        for row, of_row in zip(task["rows"], files, strict=True):
            row["artefact"] = places.get(str(of_row.metrics))
    return tasks


def _pretraining(files: PretrainFiles, settings: dict[str, Any]) -> dict[str, Any]:
    # A run that was stopped and resumed may have logged a step twice; the later line is the one
    # that counted.
    lines = {line["step"]: line for line in read_lines(files.log)}
    steps = [lines[step] for step in sorted(lines)]
    pairs = len(settings["views"]) - 1
    return read_object(files.metrics, "architecture") | {
        "run": files.run,
        "pairs": pairs,
        "loss_floor": -4 * pairs,
        "curve": curve_of(steps),
    }


def _proposals(inputs: ReportInputs, store: pa.Table) -> dict[str, Any]:
    skipped = read_table(inputs.skipped, SKIPPED_SCHEMA)
    regions, proposals = counts_per_image(store)
    return {
        "counts": read_json(inputs.summary),
        "regions_per_image": spread(regions),
        "proposals_per_image": spread(proposals),
        "skipped": len(skipped),
        "skipped_first": skipped.slice(0, SKIPPED_SHOWN).to_pylist(),
    }


def _quality(inputs: ReportInputs) -> dict[str, Any]:
    recall = [
        read_object(files.recall, "engines", "drawn", "objects", "images")
        | {"dataset": files.dataset}
        for files in inputs.recall
    ]
    return {
        "statistics": read_object(inputs.statistics, "regions", "proposals", "without_proposals"),
        "recall": recall,
    }


def _conversion(files: ConversionFiles) -> dict[str, Any]:
    summary = read_object(files.summary)
    differences = summary.get("feature_differences") or {}
    return summary | {
        "run": files.run,
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
