"""A small finished run: a folder with its files, and its report.json."""

import copy
import hashlib
import json
from pathlib import Path

from soco.config import load_config

ROOT = Path(__file__).parents[2]
CODE = {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False, "note": None}
MACHINE = {"platform": "Linux-6.1", "cpu": "AMD EPYC", "cores": 2, "memory_gb": 16.0, "gpus": []}
PACKAGES = {"torch": "2.14.1", "snakemake": "9.27.1", "numpy": "2.4.6", "detectron2": None}
PROTOCOL = {
    "name": None,
    "changed": None,
    "iterations": 220,
    "base_lr": 0.08,
    "batch_size": 8,
    "torch": "2.14.1",
    "seed": 1,
}

# Rule, wildcards, params, inputs, outputs (paths relative to results); each rule reads what the
# previous one wrote.
SHARD = (
    "shard_images",
    {},
    {},
    ["data/images"],
    ["shards/manifest.parquet", "shards/0000.parquet"],
)
SEARCH = (
    "search_regions",
    {"shard": "0000"},
    {},
    ["results/shards/0000.parquet"],
    ["proposals/raw/0000.parquet"],
)
FILTER = (
    "filter_regions",
    {"shard": "0000"},
    {"min_side": 32},
    ["results/proposals/raw/0000.parquet"],
    ["proposals/filtered/0000.parquet"],
)
MERGE = (
    "merge_proposals",
    {},
    {},
    ["results/proposals/filtered/0000.parquet"],
    ["proposals/store.arrow", "proposals/summary.json"],
)
PRETRAIN = (
    "pretrain_model",
    {"run": "soco"},
    {"settings": {"epochs": 6}},
    ["results/proposals/store.arrow", "data/images"],
    ["pretrain/soco/weights.safetensors", "pretrain/soco/log.jsonl", "pretrain/soco/metrics.json"],
)
FINETUNE = (
    "finetune_detector",
    {"task": "coco", "initialisation": "soco", "seed": "1"},
    {},
    ["results/pretrain/soco/weights.safetensors", "data/coco_train.json"],
    ["finetune/coco/soco/seed_1/weights.pth"],
)
EVALUATE = (
    "evaluate_detector",
    {"task": "coco", "initialisation": "soco", "seed": "1"},
    {},
    ["results/finetune/coco/soco/seed_1/weights.pth", "data/coco_val.json"],
    ["evaluate/coco/soco/seed_1/metrics.json", "evaluate/coco/soco/seed_1/detections.json"],
)
VARYING = ("shards/manifest.parquet", "pretrain/soco/log.jsonl", "pretrain/soco/metrics.json")
RULES = (SHARD, SEARCH, FILTER, MERGE, PRETRAIN, FINETUNE, EVALUATE)


def write_run(folder: Path, large: tuple[str, ...] = ()) -> dict:
    """Write the run's files into `folder`/results, and its report; returns the report's content.

    Args:
        folder: The folder of the run.
        large: Outputs (paths relative to results) of more than a megabyte.
    """
    jobs, artefacts = [], []
    for place, (rule, wildcards, params, inputs, outputs) in enumerate(RULES):
        for name in outputs:
            content = f"{name}\n" * (40_000 if name in large else 1)
            made = {"deterministic": name not in VARYING, "job": place}
            artefacts.append(_written(folder, f"results/{name}", content) | made)
        jobs.append(
            {
                "rule": rule,
                "stage": rule,
                "wildcards": wildcards,
                "params": params,
                "seed": 1,
                "environment": 0,
                "started": f"2026-11-23T10:0{place}:00+00:00",
                "seconds": 30.5,
                "peak_mb": 512.25,
                "inputs": inputs,
                "outputs": [f"results/{name}" for name in outputs],
                "origin": f"results/origins/{rule}.json",
            }
        )
    row = {
        "initialisation": "soco",
        "seed": 1,
        "task": "coco",
        "dataset": "shapes_coco",
        "format": "coco",
        "box": {"AP": 20.5, "AP50": 43.0, "AP75": 19.0, "APs": None},
        "mask": {"AP": 18.2, "AP50": 35.7, "AP75": 15.3},
        "per_category": {"disc": {"box": 36.4, "mask": 30.2, "instances": 9}},
        "protocol": dict(PROTOCOL),
        "images": 120,
        "instances": 313,
        "artefact": 10,
    }
    report = {
        "schema": 3,
        "made": "2026-11-23T11:00:00+00:00",
        "run": {
            "started": "2026-11-23T10:00:00+00:00",
            "ended": "2026-11-23T10:06:30+00:00",
            "targets": None,
        },
        "git": dict(CODE),
        "lock": {"path": "envs/requirements.lock", "sha256": "ab" * 32},
        "environments": [
            {
                "code": dict(CODE),
                "python": "3.11.7",
                "packages": dict(PACKAGES),
                "machine": dict(MACHINE),
            }
        ],
        "jobs": jobs,
        "artefacts": artefacts,
        "data": [
            {
                "name": "images",
                "kind": "images",
                "path": "data/images",
                "files": 480,
                "digest": "cd" * 32,
                "used_by": ["shard_images", "pretrain_model"],
            },
            {
                "name": "shapes_coco.train",
                "kind": "annotations",
                "path": "data/coco_train.json",
                "files": None,
                "digest": "ef" * 32,
                "used_by": ["finetune_detector"],
            },
            {
                "name": "shapes_coco.val",
                "kind": "annotations",
                "path": "data/coco_val.json",
                "files": None,
                "digest": "12" * 32,
                "used_by": ["evaluate_detector"],
            },
        ],
        "seed": 1,
        "config": load_config(ROOT / "config.yaml").model_dump(mode="json"),
        "demo": True,
        "proposals": {
            "counts": {"images": 480, "regions": 44073, "proposals_after_fallbacks": 11829}
        },
        "pretraining": [{"run": "soco", "final_loss": -4.776, "steps": 90, "seconds": 340.9}],
        "probes": [],
        "results": [{"task": "coco", "dataset": "shapes_coco", "format": "coco", "rows": [row]}],
        "resources": [
            {
                "rule": rule,
                "jobs": 1,
                "total_seconds": 30.5,
                "longest_seconds": 30.5,
                "peak_rss_mb": 512.25,
            }
            for rule, *_ in RULES
        ],
        "redo": ["make install", ".venv/bin/snakemake report"],
    }
    save(report, folder)
    (folder / "results/report/report.html").write_text("<!doctype html><title>A run</title>\n")
    return report


def save(report: dict, folder: Path) -> Path:
    """Write a report to its place in the folder of a run."""
    path = folder / "results/report/report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report))
    return path


def with_seeds(report: dict, *aps: float) -> dict:
    """The report with one row for each box AP, with seeds from 1."""
    changed = copy.deepcopy(report)
    row = changed["results"][0]["rows"][0]
    changed["results"][0]["rows"] = [
        copy.deepcopy(row) | {"seed": place + 1, "box": row["box"] | {"AP": ap}}
        for place, ap in enumerate(aps)
    ]
    return changed


def _written(folder: Path, name: str, content: str) -> dict:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return {
        "path": name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
    }
