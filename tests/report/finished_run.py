"""A small finished run: every file that a report reads, as its stage writes it."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import skimage.data
from evaluated import PHOTOGRAPHS, evaluation, validation_split
from PIL import Image

from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig, load_config
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.schema import (
    PROPOSAL_SCHEMA,
    RAW_SCHEMA,
    SKIPPED_SCHEMA,
    rect_columns,
    rects_of,
)
from soco.environment import environment
from soco.jobs import Clock, Job, write_record
from soco.proposals.merge_stage import MergeJob, merge_shards
from soco.proposals.quality import RecallJob, describe_proposals, measure_recall
from soco.report.inputs import (
    ConversionFiles,
    FindingsFiles,
    PretrainFiles,
    ProbeFiles,
    RecallFiles,
    ReportInputs,
)

ROOT = Path(__file__).parents[2]
SKIPPED = [
    ("broken/<b>one</b>.jpg", "not in a known image format"),
    ("empty.png", "the file is missing"),
]
STARTED = "2026-11-23T10:00:00+00:00"


def write_run(root: Path) -> ReportInputs:
    random = np.random.default_rng(5)
    config = load_config(ROOT / "config.yaml").model_dump(mode="json")
    config["images"]["path"] = str(root / "images")
    summary, store, skipped = _proposals(root, random)
    run = _pretraining(root, random)
    evaluations = tuple(
        evaluation(root, random, task, init, seed)
        for task, seeds in (("coco", (1, 2)), ("lvis", (1,)))
        for init in ("scratch", "soco")
        for seed in seeds
    )
    conversions = tuple(_conversion(root, kind) for kind in ("fpn_head", "c4"))
    quality = _quality(root, store)
    made = {
        "merge_proposals": [summary, store, skipped],
        "pretrain_model": [run.weights, run.log, run.metrics],
        "convert_weights": [conversion.weights for conversion in conversions],
        "evaluate_detector": [
            path for files in evaluations for path in (files.metrics, files.detections)
        ],
    }
    results = (
        (run,),
        conversions,
        evaluations,
        _origins(root, made),
        _findings(root),
        _probes(root),
    )
    arrow = store.with_suffix(".arrow")
    return ReportInputs(config, summary, store, arrow, skipped, *quality, *results)


def _proposals(root: Path, random: np.random.Generator) -> tuple[Path, Path, Path]:
    rows, rects = [], []
    for number in range(48):
        name = sorted(PHOTOGRAPHS)[number // 8]
        key = f"{name}/{number:03d}.jpg"
        image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        left, top = (int(random.integers(0, side // 3 + 1)) for side in image.size)
        cut = image.crop(
            (left, top, left + image.width * 2 // 3, top + image.height * 2 // 3)
        ).resize((256, 192))
        (root / "images" / name).mkdir(parents=True, exist_ok=True)
        cut.save(root / "images" / key)
        count = 0 if number == 7 else int(random.integers(3, 70))
        corner, size = random.integers(0, 90, (count, 2)), random.integers(32, 100, (count, 2))
        rects.append(np.concatenate([corner, size], axis=1))
        strategy = "" if count == 0 else "ratio3" if number % 11 == 0 else "ratio3size0308"
        rows.append((key, 256, 192, int(count * 3.5) + 2, strategy))
    names = ("key", "width", "height", "regions", "strategy")
    places = {
        "container": [""] * len(rows),
        "offset": [0] * len(rows),
        "bytes": [1] * len(rows),
        "content": [0] * len(rows),
    }
    columns = (
        dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        | places
        | rect_columns(rects)
    )
    fixed = pa.table(columns, schema=PROPOSAL_SCHEMA)
    left_out = pa.table(
        [pa.array(column) for column in zip(*SKIPPED, strict=True)], schema=SKIPPED_SCHEMA
    )
    write_table(root / "shard.parquet", fixed)
    write_table(root / "shard_skipped.parquet", left_out)
    folder = root / "results" / "proposals"
    paths = (folder / "summary.json", folder / "store.parquet", folder / "skipped.parquet")
    shard, shard_skipped = [root / "shard.parquet"], [root / "shard_skipped.parquet"]
    outputs = (paths[1], folder / "store.arrow", paths[2], paths[0])
    merge_shards(MergeJob(shard, shard, shard_skipped, FilterConfig(), 0.5, *outputs))
    return paths


def _quality(root: Path, store: Path) -> tuple[Path, tuple[RecallFiles, ...]]:
    """Statistics of the store, whose proposals are the regions too, and recall of two engines."""
    folder = root / "results" / "quality"
    fixed = read_table(store, PROPOSAL_SCHEMA)
    rects = rects_of(fixed)
    sizes = pa.array([of_image.prod(axis=1) for of_image in rects], pa.list_(pa.int32()))
    columns = {name: fixed[name] for name in RAW_SCHEMA.names if name != "size"}
    write_table(root / "raw.parquet", pa.table({**columns, "size": sizes}, schema=RAW_SCHEMA))
    describe_proposals([root / "raw.parquet"], [store], FilterConfig(), folder / "statistics.json")
    measured = folder / "recall" / "shapes_coco.json"
    annotations, images = validation_split(root)
    split = SplitConfig(images=str(images), annotations=str(annotations))
    engines = QualityConfig(engines=("soco", "opencv_fast"), images=4)
    measure_recall(RecallJob(split, engines, ProposalsConfig(), FilterConfig(), 1, measured))
    return folder / "statistics.json", (RecallFiles("shapes_coco", measured),)


def _pretraining(root: Path, random: np.random.Generator) -> PretrainFiles:
    folder = root / "results" / "pretrain" / "soco"
    folder.mkdir(parents=True)
    files = PretrainFiles(
        "soco", folder / "log.jsonl", folder / "metrics.json", folder / "weights.safetensors"
    )
    steps = range(5, 151, 5)
    loss = [-6 * (1 - np.exp(-step / 50)) + 0.15 * random.normal() for step in steps]
    lines = [
        {
            "step": step,
            "epoch": step / 15,
            "loss": value,
            "constant": 0.98 * value,
            "lr": 0.125 * min(1, step / 15) * (1 - step / 152),
        }
        for step, value in zip(steps, loss, strict=True)
    ]
    files.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    metrics = {
        "run": "soco", "architecture": "fpn", "epochs": 10, "steps": 150, "images": 480,
        "total_batch": 32, "peak_lr": 0.125, "final_loss": loss[-1], "seconds": 213.7,
        "images_per_second": 22.46, "precision": "bf16",
        "device": "cpu", "processes": 1, "seed": 1, "parameters": 17_300_000, "more": float("nan"),
        "path_length": 0.0094, "expected_distance": 0.0094, "travel": {
            "stem": {"distance": 0.0123, "cosine": 0.99992},
            "neck": {"distance": 0.1412, "cosine": 0.98986},
        },
        "initial_weights": {"name": "a<b", "loaded": ["encoder"], "drawn": ["neck", "head"]},
    }  # fmt: skip
    files.metrics.write_text(json.dumps(metrics))
    files.weights.write_bytes(random.bytes(5000))
    return files


def _conversion(root: Path, kind: str) -> ConversionFiles:
    folder = root / "results" / "convert" / "soco"
    folder.mkdir(parents=True, exist_ok=True)
    files = ConversionFiles(
        "soco", kind, folder / f"detectron2_{kind}.json", folder / f"detectron2_{kind}.pkl"
    )
    files.weights.write_bytes(pickle.dumps({"model": {}}))
    reason = "only the pretraining loss uses the projector"
    summary = {
        "kind": kind, "converted": 199, "numbers": 12_345_678, "left_behind_by_reason": {reason: 2},
        "names": {"encoder.conv1.weight": "stem.conv1.weight"},
        "left_behind": {"projector.0.weight": reason, "projector.0.bias": reason},
        "feature_differences": {"p2": 3.14e-7, "p3": 2e-8} if kind == "fpn_head" else {},
    }  # fmt: skip
    files.summary.write_text(json.dumps(summary))
    return files


def _findings(root: Path) -> tuple[FindingsFiles, ...]:
    """Of the COCO set, used as it is, and of the LVIS set with a repaired validation split."""
    sentence = "Boxes without an area: 2 (7, 9); left out."
    found = {"kind": "repaired", "split": "val", "count": 2, "sentence": sentence}
    files = []
    for task, findings in (("coco", []), ("lvis", [found])):
        counts = {"images": 6, "objects": 12, "categories": 3}
        splits = {
            split: counts
            | {"annotations": f"{task}_{split}.json", "repaired": bool(findings) and split == "val"}
            for split in ("train", "val")
        }
        path = root / "results" / "checks" / f"shapes_{task}" / "findings.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"splits": splits, "findings": findings}))
        files.append(FindingsFiles(f"shapes_{task}", path))
    return tuple(files)


def _probes(root: Path) -> tuple[ProbeFiles, ...]:
    files = []
    for init, top1 in (("scratch", 12.34), ("soco", 45.67)):
        path = root / "results" / "probe" / f"photographs-{init}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        metrics = {
            "probe": "photographs", "initialisation": init, "backbone": "resnet18", "classes": 6,
            "images": {"train": 1200, "val": 300}, "skipped": {"train": 1, "val": 0},
            "commonest_class": 16.7,
            "seed": 1,
            "knn": {"top1": top1, "top5": 88.8, "neighbours": 20, "temperature": 0.07},
            "linear": {"top1": top1 + 5, "top5": None},
        }  # fmt: skip
        path.write_text(json.dumps(metrics))
        files.append(ProbeFiles("photographs", init, path))
    return tuple(files)


def _origins(root: Path, made: dict[str, list[Path]]) -> tuple[Path, ...]:
    """The record of each job; a number distinguishes two jobs of one rule.

    Seconds and MB are made up.
    """
    stages = {
        "demo": ["demo_data"],
        "proposals": ["search_regions", "filter_regions", "merge_proposals"],
        "pretrain": ["pretrain_model"],
        "convert": ["convert_weights"],
        "finetune": ["finetune_detector", "evaluate_detector"],
    }
    stage_of = {rule: stage for stage, rules in stages.items() for rule in rules}
    measured = {
        "demo_data": (11.2, 310.5),
        "search_regions/0": (61.5, 512.25),
        "search_regions/1": (58.5, 530.75),
        "filter_regions/0": (0.3, 210.0),
        "merge_proposals": (1.4, 210.0),
        "pretrain_model": (214.0, 2950.4),
        "convert_weights": (3.4, 640.1),
        "finetune_detector/0": (188.4, 2101.9),
        "finetune_detector/1": (191.3, 2140.0),
        "evaluate_detector": (22.1, 1890.0),
    }
    runs_in, paths = environment(), []
    for name, (seconds, memory) in measured.items():
        path = root / "results" / "origins" / f"{name}.json"
        rule, _, number = name.partition("/")
        outputs = {f"file{place}": [str(file)] for place, file in enumerate(made.get(name, []))}
        wildcards = {"shard": number} if number else {}
        job = Job(rule, wildcards, {"seed": 1}, 2, {"images": [str(root / "images")]}, outputs)
        write_record(path, job, runs_in, Clock())
        record = json.loads(path.read_text())
        measures = {
            "stage": stage_of[rule],
            "seconds": seconds,
            "peak_mb": memory,
            "cpu_seconds": seconds * 1.5,
            "started": STARTED,
        }
        path.write_text(json.dumps(record | measures))
        paths.append(path)
    return tuple(paths)
