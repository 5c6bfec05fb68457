"""Each test tampers with a finished run; the audit must notice."""

import json
import pickle
import sys
from pathlib import Path

import pytest
from user_errors import refused

from soco.cli import main
from soco.errors import UserError
from soco.jobs import read_record
from soco.provenance.audit.checks import as_table
from soco.provenance.audit.contents import check_contents
from soco.provenance.audit.detections import check_detections
from soco.provenance.audit.files import check_hashes, check_origins
from soco.provenance.audit.images import check_images
from soco.provenance.audit.reported import read_reported, title
from soco.provenance.audit.run import Options, audit

METRICS = "results/evaluate/shapes_coco/soco/seed_1/metrics.json"
EVALUATION = "evaluate_detector, initialisation=soco, seed=1, task=shapes_coco"


def raise_ap(metrics):
    metrics["box"]["AP"] = (metrics["box"]["AP"] or 0.0) + 5.0


def raise_reported_ap(report):
    rows = [
        row for task in report["results"] if task["task"] == "shapes_coco" for row in task["rows"]
    ]
    raise_ap(next(row for row in rows if row["initialisation"] == "soco"))


def test_an_unchanged_run_passes_every_check(run, repository, tmp_path, capsys):
    config = str(repository / "recipes/test.yaml")
    command = ["audit", str(run.report), "--seed", "3", "--out", str(tmp_path / "out")]
    assert main([*command, "--config", config]) == 0
    printed = capsys.readouterr().out
    assert "0 FAIL" in printed and "--seed 3" in printed
    written = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert written["passed"] is True
    statuses = {check["name"]: check["status"] for check in written["checks"]}
    repeated = [title(record) for record in run.read().records if record["repeatable"]]
    assert len(repeated) >= 13 and EVALUATION in repeated
    for name in (*repeated, f"AP of {EVALUATION}", "lock", "configuration", "report: results"):
        assert statuses.pop(name) == "PASS", name
    skipped = {name for name, status in statuses.items() if status != "PASS"}
    assert skipped <= {"code of the jobs"}
    assert (tmp_path / "out" / "audit.txt").read_text().strip() in printed


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("demo_data", "data/demo/sources.csv"),
        ("shard_images", "results/shards/0001.parquet"),
        ("search_regions", "results/proposals/raw/0000.parquet"),
        ("merge_proposals", "results/proposals/store.arrow"),
        ("check_dataset", "results/datasets/shapes_coco/train.json"),
        ("measure_recall", "results/quality/recall/shapes_coco.json"),
        ("pretrain_model", "results/pretrain/soco/weights.safetensors"),
        ("pretrain_model", "results/pretrain/soco/log.jsonl"),
        ("convert_weights", "results/convert/soco/detectron2_c4.pkl"),
        ("finetune_detector", "results/finetune/shapes_coco/soco/seed_1/weights.pth"),
        ("evaluate_detector", "results/evaluate/shapes_lvis/soco/seed_2/detections.json"),
        ("probe_backbone", "results/probe/shapes/soco/metrics.json"),
    ],
)
def test_a_flipped_bit_is_found(run, failing, rule, path):
    run.flip(path)
    failed = failing(check_hashes(run.read()))
    assert failed.keys() == {f"files of {rule}"}
    assert f"{path} was changed" in failed[f"files of {rule}"]


def test_a_flipped_bit_of_the_page_is_found(run, failing):
    run.flip("results/report/report.html")
    assert failing(check_hashes(run.read())).keys() == {str(run.report)}


def test_missing_files_are_named(run, failing):
    Path(METRICS).unlink()
    Path("data/demo/images").rename("elsewhere")
    failed = failing(check_hashes(run.read()))
    assert f"{METRICS} is missing" in failed["files of evaluate_detector"]
    assert "data/demo/images is missing" in failed["files of demo_data"]


@pytest.fixture
def swapped(run):
    """The detector initialised from SoCo is replaced by the one trained from scratch."""
    folder = Path("results/finetune/shapes_coco")
    run.write(
        folder / "soco/seed_1/weights.pth", (folder / "scratch/seed_1/weights.pth").read_bytes()
    )
    return run


def test_a_swapped_checkpoint_is_found_by_hash_and_by_origin(swapped, failing):
    assert failing(check_hashes(swapped.read())).keys() == {"files of finetune_detector"}
    assert failing(check_origins(swapped.read())).keys() == {"origin in files of finetune_detector"}


def test_a_swapped_checkpoint_with_edited_hashes_is_found_by_origin_and_evaluation(
    swapped, failing, repeat
):
    swapped.edit_hashes()
    assert failing(check_hashes(swapped.read())) == {}
    failed = failing(check_origins(swapped.read()))
    sentence = failed["origin in files of finetune_detector"]
    assert (
        "wildcards.initialisation is soco in the record of its job and scratch in the file"
        in sentence
    )
    (check,) = repeat(EVALUATION)
    assert check.status == "FAIL"


def test_an_ap_edited_in_its_file_is_found(run, failing):
    run.edit(METRICS, raise_ap)
    assert failing(check_hashes(run.read())).keys() == {"files of evaluate_detector"}
    assert failing(check_contents(run.read())).keys() == {"report: results"}


def test_an_ap_edited_in_the_report_is_found(run, failing):
    run.edit(run.report, raise_reported_ap)
    assert failing(check_hashes(run.read())).keys() == {str(run.report)}
    sentence = failing(check_contents(run.read()))["report: results"]
    assert "results.0.rows.1.box.AP is" in sentence and "in the files" in sentence


def test_an_ap_edited_everywhere_is_found_by_its_detections(run, failing):
    run.edit(METRICS, raise_ap)
    run.edit(run.report, raise_reported_ap)
    run.edit_hashes()
    assert failing(check_hashes(run.read())) == {}
    failed = failing(check_detections(run.read()))
    assert failed.keys() == {f"AP of {EVALUATION}"}
    assert "box AP is" in failed[f"AP of {EVALUATION}"]


@pytest.mark.parametrize(
    "store", ["raw/0001.parquet", "filtered/0001.parquet", "fixed/0001.parquet", "store.parquet"]
)
def test_a_moved_box_with_edited_hashes_is_found_by_repeating_the_job(
    run, failing, move_a_box, repeat, store
):
    path = f"results/proposals/{store}"
    move_a_box(path)
    run.edit_hashes()
    assert failing(check_hashes(run.read())) == failing(check_origins(run.read())) == {}
    failed = failing(repeat("search_", "filter_", "apply_fallbacks", "merge_"))
    (writer,) = (
        title(record)
        for record in run.read().records
        if path in [made["path"] for made in record["outputs"]]
    )
    assert failed.keys() == {writer}
    assert f"{path}: in " in failed[writer] and ", repeated [" in failed[writer]


def test_a_replaced_image_is_found(run, failing):
    first, second, *_ = sorted(Path("data/demo/images").rglob("*.jpg"))
    run.write(first, second.read_bytes())
    failed = failing(check_images(run.read(), ["0000", "0001"]))
    assert any(
        name.endswith(": images") and first.name in sentence for name, sentence in failed.items()
    )


def test_a_tensor_changed_in_a_converted_file_is_found_by_repeating_the_job(run, failing, repeat):
    path = Path("results/convert/soco/detectron2_c4.pkl")
    content = pickle.loads(path.read_bytes())
    name = sorted(content["model"])[0]
    content["model"][name] = content["model"][name] + 1
    run.write(path, pickle.dumps(content))
    run.edit_hashes()
    assert failing(check_origins(run.read())) == {}
    (sentence,) = failing(repeat("convert_")).values()
    assert f"{path}: {name} has other numbers" in sentence


def test_a_job_whose_library_is_missing_is_skipped(repeat, monkeypatch):
    monkeypatch.setitem(sys.modules, "soco.transfer.detect", None)
    (check,) = repeat(EVALUATION)
    assert check.status == "SKIP" and "soco.transfer.detect" in check.said


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(repeatable=False),
        lambda record: record.update(stage="other"),
        lambda record: record["outputs"][0].update(deterministic=False),
        lambda record: record["outputs"][0].update(has_origin=False),
        lambda record: record.update(rule="unknown"),
    ],
)
def test_a_record_that_excludes_its_job_from_checks_is_found(run, failing, change):
    path = "results/origins/evaluate_detector/shapes_coco/soco/1.json"
    run.edit(path, change)
    sentence = failing(audit(run.report, Options(quick=True)))["records of the jobs"]
    assert path in sentence


def test_a_record_of_an_older_version_can_be_read(run):
    path = Path("results/origins/merge_proposals.json")

    def forget(record):
        for key in ("stage", "repeatable", "lists"):
            del record[key]
        for made in record["outputs"]:
            del made["deterministic"], made["has_origin"]

    run.edit(path, forget)
    record = read_record(path)
    assert (record["stage"], record["repeatable"]) == ("other", False)
    assert all(made["deterministic"] and made["has_origin"] for made in record["outputs"])


def test_a_key_of_the_configuration_that_was_edited_is_named(run, failing):
    config = run.content["config"]
    config["filter"]["min_side"] = 16
    failed = failing(audit(run.report, Options(quick=True, config=config)))
    assert failed == {"configuration": "filter.min_side is 32 in the report and 16 now."}


def test_an_edited_lock_is_found(run, failing, repository, tmp_path, capsys):
    lock = tmp_path / "edited.lock"
    text = (repository / "envs/requirements.lock").read_text()
    lock.write_text(text.replace("numpy==", "numpy==9."))
    assert main(["audit", str(run.report), "--quick", "--lock", str(lock)]) == 1
    printed = capsys.readouterr()
    assert "2 of" in printed.err and "checks FAIL, the first: lock:" in printed.err
    assert "FAIL  packages of the jobs" in printed.out and "jobs ran with numpy" in printed.out


def test_a_missing_record_is_found_and_the_audit_continues(run, failing):
    Path("results/origins/evaluate_detector/shapes_coco/soco/1.json").unlink()
    checks = audit(run.report, Options(quick=True))
    failed = failing(checks)
    assert "shapes_coco/soco/1.json is missing" in failed["records of the jobs"]
    assert {"sections of the report", "AP of all evaluations"} <= failed.keys()
    assert "FAIL  records of the jobs" in as_table(checks)


def test_a_file_that_is_not_a_report_is_refused(run):
    with pytest.raises(UserError, match=r"none\.json"):
        read_reported(Path("none.json"))
    run.edit(run.report, lambda report: report.update(schema=0))
    with refused("report.run_too_old", path=run.report):
        read_reported(run.report)
