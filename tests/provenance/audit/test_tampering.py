"""Runs are tampered with, and the audit finds it."""

import json
import pickle
from pathlib import Path

import pytest

from soco.cli import main
from soco.provenance.audit.contents import check_contents
from soco.provenance.audit.conversion import check_conversions
from soco.provenance.audit.evaluation import check_detections, check_evaluations
from soco.provenance.audit.hashes import check_hashes
from soco.provenance.audit.origins import check_origins
from soco.provenance.audit.run import Options, audit
from soco.provenance.audit.shards import check_shards
from soco.provenance.audit.table import as_table

METRICS = "results/evaluate/shapes_coco/soco/seed_1/metrics.json"


def raise_ap(metrics):
    metrics["box"]["AP"] = (metrics["box"]["AP"] or 0.0) + 5.0


def raise_reported_ap(report):
    rows = [
        row for task in report["results"] if task["task"] == "shapes_coco" for row in task["rows"]
    ]
    raise_ap(next(row for row in rows if row["initialisation"] == "soco"))


def test_an_untouched_run_passes_every_check(run, repository, tmp_path, capsys):
    config = [str(repository / "recipes/test.yaml")]
    assert (
        main(
            [
                "audit",
                str(run.report),
                "--config",
                *config,
                "--seed",
                "3",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "0 FAIL" in printed and "--seed 3" in printed
    told = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert told["passed"] is True
    names = {check["name"]: check["status"] for check in told["checks"]}
    again = (
        "shard 0000: search",
        "shard 0001: fix-up",
        "store",
        "conversion soco, c4",
        "evaluation of shapes_lvis, soco, seed 2",
    )
    assert {names[name] for name in (*again, "lock", "configuration", "report: results")} == {
        "PASS"
    }
    assert set(names.values()) <= {"PASS", "SKIP"}
    assert [name for name, status in names.items() if status == "SKIP"] in (
        [],
        ["code of the jobs"],
    )
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
    found = failing(check_hashes(run.read()))
    assert found.keys() == {f"files of {rule}"}
    assert f"{path} was changed" in found[f"files of {rule}"]


def test_a_flipped_bit_of_the_page_is_found(run, failing):
    run.flip("results/report/report.html")
    assert failing(check_hashes(run.read())).keys() == {str(run.report)}


def test_files_that_are_gone_are_named(run, failing):
    Path(METRICS).unlink()
    Path("data/demo/images").rename("elsewhere")
    found = failing(check_hashes(run.read()))
    assert f"{METRICS} is missing" in found["files of evaluate_detector"]
    assert "data/demo/images is missing" in found["files of demo_data"]


@pytest.fixture
def swapped(run):
    """The detector that started from SoCo is replaced by the one that started from scratch."""
    folder = Path("results/finetune/shapes_coco")
    run.write(
        folder / "soco/seed_1/weights.pth", (folder / "scratch/seed_1/weights.pth").read_bytes()
    )
    return run


def test_a_swapped_checkpoint_is_found_by_hash_and_by_origin(swapped, failing):
    assert failing(check_hashes(swapped.read())).keys() == {"files of finetune_detector"}
    assert failing(check_origins(swapped.read())).keys() == {"origin in files of finetune_detector"}


def test_a_swapped_checkpoint_whose_hashes_fit_is_found_by_origin_and_evaluation(
    swapped, failing, tmp_path
):
    swapped.make_hashes_fit()
    assert failing(check_hashes(swapped.read())) == {}
    found = failing(check_origins(swapped.read()))
    assert '"initialisation": "scratch"' in found["origin in files of finetune_detector"]
    named = (
        check
        for check in check_evaluations(swapped.read(), tmp_path)
        if "shapes_coco, soco" in check.name
    )
    assert next(named).status == "FAIL"


def test_an_ap_edited_in_its_file_is_found(run, failing):
    run.edit(METRICS, raise_ap)
    assert failing(check_hashes(run.read())).keys() == {"files of evaluate_detector"}
    assert failing(check_contents(run.read())).keys() == {"report: results"}


def test_an_ap_edited_in_the_report_is_found(run, failing):
    run.edit(run.report, raise_reported_ap)
    assert failing(check_hashes(run.read())).keys() == {str(run.report)}
    said = failing(check_contents(run.read()))["report: results"]
    assert "results.0.rows.1.box.AP is" in said and "in the files" in said


def test_an_ap_edited_everywhere_is_found_by_its_detections(run, failing):
    run.edit(METRICS, raise_ap)
    run.edit(run.report, raise_reported_ap)
    run.make_hashes_fit()
    assert failing(check_hashes(run.read())) == {}
    found = failing(check_detections(run.read()))
    assert found.keys() == {"AP of shapes_coco, soco, seed 1"}
    assert "box AP is" in found["AP of shapes_coco, soco, seed 1"]


@pytest.mark.parametrize(
    ("store", "checks"),
    [("raw", {"search"}), ("filtered", {"filter"}), ("fixed", {"fix-up"})],
)
def test_a_box_moved_with_all_hashes_made_to_fit_is_found_afresh(
    run, failing, move_a_box, tmp_path, store, checks
):
    move_a_box(f"results/proposals/{store}/0001.parquet")
    run.make_hashes_fit()
    assert failing(check_hashes(run.read())) == failing(check_origins(run.read())) == {}
    found = failing(check_shards(run.read(), count=2, seed=1, folder=tmp_path))
    merged = {"store"} if store == "fixed" else set()
    assert found.keys() == {f"shard 0001: {name}" for name in checks} | merged
    assert "made afresh" in found[f"shard 0001: {next(iter(checks))}"]


def test_an_image_that_was_replaced_is_found(run, failing, tmp_path):
    first, second, *_ = sorted(Path("data/demo/images").rglob("*.jpg"))
    run.write(first, second.read_bytes())
    found = failing(check_shards(run.read(), count=2, seed=1, folder=tmp_path))
    assert any(name.endswith(": images") and first.name in said for name, said in found.items())


def test_a_tensor_changed_in_a_converted_file_is_found_afresh(run, failing, tmp_path):
    path = Path("results/convert/soco/detectron2_c4.pkl")
    held = pickle.loads(path.read_bytes())
    name = sorted(held["model"])[0]
    held["model"][name] = held["model"][name] + 1
    run.write(path, pickle.dumps(held))
    run.make_hashes_fit()
    assert failing(check_origins(run.read())) == {}
    found = failing(check_conversions(run.read(), tmp_path))
    assert found.keys() == {"conversion soco, c4"} and name in found["conversion soco, c4"]


def test_a_key_of_the_configuration_that_was_edited_is_named(run, failing):
    config = run.content["config"]
    config["filter"]["min_side"] = 16
    found = failing(audit(run.report, Options(quick=True, config=config)))
    assert found == {"configuration": "filter.min_side is 32 in the report and 16 now."}


def test_an_edited_lock_is_found(run, failing, repository, tmp_path, capsys):
    lock = tmp_path / "edited.lock"
    text = (repository / "envs/requirements.lock").read_text()
    lock.write_text(text.replace("numpy==", "numpy==9."))
    assert main(["audit", str(run.report), "--quick", "--lock", str(lock)]) == 1
    told = capsys.readouterr()
    assert "2 of" in told.err and "checks FAIL, the first: lock:" in told.err
    assert "FAIL  packages of the jobs" in told.out and "jobs ran with numpy" in told.out


def test_a_record_that_is_gone_is_found_and_the_audit_goes_on(run, failing):
    Path("results/origins/evaluate_detector/shapes_coco/soco/1.json").unlink()
    checks = audit(run.report, Options(quick=True))
    found = failing(checks)
    assert "shapes_coco/soco/1.json is missing" in found["records of the jobs"]
    assert {"sections of the report", "AP of all"} <= found.keys()
    assert "FAIL  records of the jobs" in as_table(checks)


def test_a_report_that_is_absent_or_another_is_told(run, capsys):
    assert main(["audit", "none.json"]) == 1
    run.edit(run.report, lambda report: report.update(schema=0))
    assert main(["audit", str(run.report)]) == 1
    told = capsys.readouterr().err
    assert "There is no report none.json" in told and "no report of this version" in told
