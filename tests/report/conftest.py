"""A finished run in small: every file that a report reads, written as its stage writes it."""

import dataclasses
import html.parser
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pycocotools.mask as mask_tools
import pytest
import skimage.data
from PIL import Image

from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig, load_config
from soco.proposals.merge_stage import merge_shards
from soco.quality import describe_proposals, measure_recall
from soco.report import (
    ConversionFiles,
    EvaluationFiles,
    FindingsFiles,
    PretrainFiles,
    ProbeFiles,
    RecallFiles,
    ReportInputs,
    build_report,
)
from soco.stores.parquet import read_table, write_table
from soco.stores.schema import PROPOSAL_SCHEMA, RAW_SCHEMA, SKIPPED_SCHEMA, rect_columns, rects_of

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field")
SKIPPED = [("broken/<b>one</b>.jpg", "not in a known picture format"), ("empty.png", "the file is missing")]
BENCHMARK = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> ReportInputs:
    """The demo's configuration with the files of a run of it."""
    return write_run(tmp_path_factory.mktemp("run"))


def write_run(root: Path) -> ReportInputs:
    random = np.random.default_rng(5)
    config = load_config(ROOT / "config.yaml").model_dump(mode="json")
    config["pictures"]["path"] = str(root / "pictures")
    summary, store, skipped = _proposals(root, random)
    run = _pretraining(root, random)
    evaluations = tuple(
        _evaluation(root, random, task, start, seed)
        for task, seeds in (("coco", (1, 2)), ("lvis", (1,)))
        for start in ("scratch", "soco")
        for seed in seeds
    )
    conversions = tuple(_conversion(root, kind) for kind in ("fpn_head", "c4"))
    benchmarks = _benchmarks(root)
    quality = _quality(root, store)
    results = ((run,), conversions, evaluations, benchmarks, _findings(root), _probes(root))
    return ReportInputs(config, summary, store, skipped, *quality, *results)


def _proposals(root: Path, random: np.random.Generator) -> tuple[Path, Path, Path]:
    rows, rects = [], []
    for number in range(48):
        name = sorted(PHOTOGRAPHS)[number // 8]
        key = f"{name}/{number:03d}.jpg"
        picture = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        left, top = (int(random.integers(0, side // 3 + 1)) for side in picture.size)
        cut = picture.crop((left, top, left + picture.width * 2 // 3, top + picture.height * 2 // 3)).resize((256, 192))
        (root / "pictures" / name).mkdir(parents=True, exist_ok=True)
        cut.save(root / "pictures" / key)
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
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) | places | rect_columns(rects)
    fixed = pa.table(columns, schema=PROPOSAL_SCHEMA)
    left_out = pa.table([pa.array(column) for column in zip(*SKIPPED, strict=True)], schema=SKIPPED_SCHEMA)
    write_table(root / "shard.parquet", fixed)
    write_table(root / "shard_skipped.parquet", left_out)
    folder = root / "results" / "proposals"
    paths = (folder / "summary.json", folder / "store.parquet", folder / "skipped.parquet")
    shard, shard_skipped = [root / "shard.parquet"], [root / "shard_skipped.parquet"]
    merge_shards(shard, shard, shard_skipped, FilterConfig(), 0.5, paths[1], folder / "store.arrow", paths[2], paths[0])
    return paths


def _quality(root: Path, store: Path) -> tuple[Path, tuple[RecallFiles, ...]]:
    """The statistics of the store, its proposals standing for the regions too, and recall of soco and opencv_fast."""
    folder = root / "results" / "quality"
    fixed = read_table(store, PROPOSAL_SCHEMA)
    rects = rects_of(fixed)
    sizes = pa.array([of_picture.prod(axis=1) for of_picture in rects], pa.list_(pa.int32()))
    columns = {name: fixed[name] for name in RAW_SCHEMA.names if name != "size"}
    write_table(root / "raw.parquet", pa.table({**columns, "size": sizes}, schema=RAW_SCHEMA))
    describe_proposals([root / "raw.parquet"], [store], FilterConfig(), folder / "statistics.json")
    measured = folder / "recall" / "shapes_coco.json"
    annotations, images = _validation_half(root)
    split = SplitConfig(images=str(images), annotations=str(annotations))
    engines = QualityConfig(engines=("soco", "opencv_fast"), pictures=4)
    measure_recall(split, engines, ProposalsConfig(), FilterConfig(), 1, measured)
    return folder / "statistics.json", (RecallFiles("shapes_coco", measured),)


def _pretraining(root: Path, random: np.random.Generator) -> PretrainFiles:
    folder = root / "results" / "pretrain" / "soco"
    folder.mkdir(parents=True)
    files = PretrainFiles("soco", folder / "log.jsonl", folder / "metrics.json", folder / "weights.safetensors")
    steps = range(5, 151, 5)
    loss = [-6 * (1 - np.exp(-step / 50)) + 0.15 * random.normal() for step in steps]
    lines = [
        {"step": step, "epoch": step / 15, "loss": value, "lr": 0.125 * min(1, step / 15) * (1 - step / 152)}
        for step, value in zip(steps, loss, strict=True)
    ]
    files.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    metrics = {
        "run": "soco", "architecture": "fpn", "epochs": 10, "steps": 150, "pictures": 480, "total_batch": 32,
        "peak_lr": 0.125, "final_loss": loss[-1], "seconds": 213.7, "images_per_second": 22.46, "precision": "bf16",
        "device": "cpu", "processes": 1, "seed": 1, "parameters": 17_300_000, "more": float("nan"),
    }  # fmt: skip
    files.metrics.write_text(json.dumps(metrics))
    files.weights.write_bytes(random.bytes(5000))
    return files


def _conversion(root: Path, kind: str) -> ConversionFiles:
    folder = root / "results" / "convert" / "soco"
    folder.mkdir(parents=True, exist_ok=True)
    files = ConversionFiles("soco", kind, folder / f"detectron2_{kind}.json", folder / f"detectron2_{kind}.pkl")
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


def metrics_of(task: str, start: str, seed: int, figures: dict, form: str = "coco", **protocol) -> dict:
    """One evaluation's metrics.json: `figures` by name for boxes, two less for masks."""
    masks = {name: None if value is None else value - 2 for name, value in figures.items()}
    names = ("disc", "ring", "star")
    frequencies = [{"frequency": letter} if form == "lvis" else {} for letter in "rcf"]
    per_category = {
        name: {"box": 10.0 * place + seed, "mask": None if place == 2 else 5.0 * place, "instances": 2 + 2 * place}
        | more
        for place, (name, more) in enumerate(zip(names, frequencies, strict=True))
    }
    held = {
        "name": "coco_fpn_1x", "changed": {"base_lr": 0.08, "iterations": 220}, "architecture": "fpn",
        "head": "4 conv + 1 fc", "norm": "SyncBN over 1 process", "batch_size": 8, "base_lr": 0.08,
        "weight_decay": 2.5e-5, "iterations": 220, "steps": [175, 205], "warmup_iterations": 30, "short_sides": [128],
        "max_long_side": 256, "test_short_side": 128, "score_threshold": 0.05, "detections_per_image": 20,
        "repeat_threshold": 0.0, "precise_bn_batches": 10, "processes": 1, "detectron2": "0.6", "torch": "2.14.1",
        "seed": seed,
    }  # fmt: skip
    return {
        "task": task, "dataset": f"shapes_{task}", "format": form, "initialisation": start, "seed": seed,
        "box": figures, "mask": masks, "per_category": per_category, "protocol": held | protocol, "images": 6,
        "instances": 12,
    }  # fmt: skip


def _evaluation(root: Path, random: np.random.Generator, task: str, start: str, seed: int) -> EvaluationFiles:
    folder = root / "results" / "evaluate" / task / f"{start}-{seed}"
    folder.mkdir(parents=True)
    annotations, images = _validation_half(root)
    names = ["AP", "AP50", "AP75", "APm", "APl"] + (["APr", "APc", "APf"] if task == "lvis" else [])
    figures = {name: float(random.uniform(2, 14)) for name in names} | {"APs": None}
    (folder / "metrics.json").write_text(json.dumps(metrics_of(task, start, seed, figures, task)))
    content = json.loads(annotations.read_text())
    found = [
        {"image_id": entry["image_id"], "category_id": int(random.integers(1, 4)), "score": float(random.uniform(0, 1)),
         "bbox": [float(value) for value in entry["bbox"]], "segmentation": run_lengths(entry["bbox"])}
        for entry in content["annotations"] * 3
    ]  # fmt: skip
    (folder / "detections.json").write_text(json.dumps(found))
    ap = {"AP": figures["AP"] / 2, "AP50": 1.0, "AP75": 0.5}
    curve = [{"iteration": iteration, "box": ap, "mask": ap} for iteration in (110, 165)] if task == "coco" else []
    (folder / "ap.jsonl").write_text("".join(json.dumps(line) + "\n" for line in curve))
    fresh = [f"roi_heads.mask_head.mask_fcn{n}.weight" for n in range(1, 5)]
    taken = {"tensors": 0, "numbers": 0} if start == "scratch" else {"tensors": 199, "numbers": 12_345_678}
    loading = {
        "weights": None if start == "scratch" else "results/convert/soco/detectron2_fpn_head.pkl", "taken": taken,
        "fresh": {"tensors": 4, "numbers": 147_456}, "fresh_names": fresh, "taken_names": [], "unused_names": [],
    }  # fmt: skip
    (folder / "loading.json").write_text(json.dumps(loading))
    (folder / "weights.pth").write_bytes(random.bytes(1000))
    names = ("metrics.json", "detections.json", "ap.jsonl", "loading.json", "weights.pth")
    scores, detections, measured, loaded, weights = (folder / name for name in names)
    return EvaluationFiles(task, start, seed, scores, annotations, images, detections, measured, loaded, weights)


def run_lengths(box: list[int], side: int = 128) -> dict:
    """The ellipse in a box as COCO's compressed run lengths, on a square picture."""
    left, top, width, height = box
    y, x = np.mgrid[:side, :side]
    inside = ((x - left - width / 2) * 2 / width) ** 2 + ((y - top - height / 2) * 2 / height) ** 2 < 1
    code = mask_tools.encode(np.asfortranarray(inside.astype(np.uint8)))
    return {"size": [side, side], "counts": code["counts"].decode()}


def _validation_half(root: Path) -> tuple[Path, Path]:
    """Six pictures of 128 pixels, each with two labelled objects, a polygon and run lengths, and a crowd."""
    annotations, images = root / "val.json", root / "val"
    if annotations.exists():
        return annotations, images
    images.mkdir()
    for number, name in enumerate(PHOTOGRAPHS):
        photograph = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        photograph.resize((128, 128)).save(images / f"{number}.png")
    diamond = {"bbox": [20, 24, 40, 36], "segmentation": [[40, 24, 60, 42, 40, 60, 20, 42]]}
    # Columns 70 to 113, in each of them rows 60 to 109.
    runs = [70 * 128 + 60, *[50, 78] * 43, 50, 18 + 14 * 128]
    block = {"bbox": [70, 60, 44, 50], "segmentation": {"size": [128, 128], "counts": runs}}
    entries = [
        {"id": number * 3 + place, "image_id": number, "category_id": (number + place) % 3 + 1, "iscrowd": 0} | shape
        for number in range(len(PHOTOGRAPHS))
        for place, shape in enumerate((diamond, block))
    ]
    entries += [
        {"id": number * 3 + 2, "image_id": number, "category_id": 2, "iscrowd": 1} | block
        for number in range(len(PHOTOGRAPHS))
    ]
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 128, "height": 128} for n in range(len(PHOTOGRAPHS))],
        "annotations": entries,
        "categories": [{"id": n, "name": name} for n, name in ((1, "disc"), (2, "ring"), (3, "star"))],
    }
    annotations.write_text(json.dumps(content))
    return annotations, images


def _findings(root: Path) -> tuple[FindingsFiles, ...]:
    """Of the COCO set, whose halves are used as they are, and of the LVIS set, whose validation half was mended."""
    sentence = "Boxes without an area: 2 (7, 9); left out."
    found = {"kind": "mended", "half": "val", "count": 2, "sentence": sentence}
    files = []
    for task, findings in (("coco", []), ("lvis", [found])):
        counts = {"pictures": 6, "objects": 12, "categories": 3}
        halves = {
            half: counts | {"annotations": f"{task}_{half}.json", "mended": bool(findings) and half == "val"}
            for half in ("train", "val")
        }
        path = root / "results" / "checks" / f"shapes_{task}" / "findings.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"halves": halves, "findings": findings}))
        files.append(FindingsFiles(f"shapes_{task}", path))
    return tuple(files)


def _probes(root: Path) -> tuple[ProbeFiles, ...]:
    files = []
    for start, top1 in (("scratch", 12.34), ("soco", 45.67)):
        path = root / "results" / "probe" / f"photographs-{start}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        metrics = {
            "probe": "photographs", "initialisation": start, "backbone": "resnet18", "classes": 6,
            "pictures": {"train": 1200, "val": 300}, "skipped": {"train": 1, "val": 0}, "commonest_class": 16.7,
            "seed": 1,
            "knn": {"top1": top1, "top5": 88.8, "neighbours": 20, "temperature": 0.07},
            "linear": {"top1": top1 + 5, "top5": None},
        }  # fmt: skip
        path.write_text(json.dumps(metrics))
        files.append(ProbeFiles("photographs", start, path))
    return tuple(files)


def _benchmarks(root: Path) -> Path:
    folder = root / "results" / "benchmarks"
    jobs = {
        "demo_data": (11.2, "310.5"), "search_proposals/0": (61.5, "512.25"), "search_proposals/1": (58.5, "530.75"),
        "filter_proposals/0": (0.3, "NA"), "merge_proposals": (1.4, "210.0"), "pretrain/soco": (214.0, "2950.4"),
        "convert/soco_fpn_head": (3.4, "640.1"), "finetune/coco_scratch": (188.4, "2101.9"),
        "finetune/coco_soco": (191.3, "2140.0"), "evaluate/coco_soco": (22.1, "1890.0"), "report": (9.9, "200.0"),
    }  # fmt: skip
    for name, (seconds, memory) in jobs.items():
        path = folder / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        cpu = "NA" if memory == "NA" else str(seconds * 1.5)
        path.write_text(BENCHMARK + f"{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t150\t{cpu}\n")
    return folder


@pytest.fixture
def changed(inputs):
    """Give a copy of the inputs with some fields replaced."""
    return lambda **fields: dataclasses.replace(inputs, **fields)


class Page(html.parser.HTMLParser):
    """The tags of a page, with their attributes, and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def told(self, part):
        """The alternative texts that hold `part`."""
        return [attrs["alt"] for attrs in self.all("img") if part in (attrs["alt"] or "")]


@pytest.fixture(scope="session")
def parsed():
    """Read a page."""
    return Page


@pytest.fixture(scope="session")
def build():
    """Build a report into a folder; gives its content and its page."""

    def build_into(inputs: ReportInputs, folder: Path) -> tuple[dict, str]:
        build_report(inputs, folder / "report.html", folder / "report.json")
        strict = json.loads((folder / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))
        return strict, (folder / "report.html").read_text()

    return build_into


@pytest.fixture(scope="session")
def built(inputs, build, tmp_path_factory):
    """The report of the whole run."""
    return build(inputs, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def metrics():
    """Make one evaluation's metrics, see `metrics_of`."""
    return metrics_of
