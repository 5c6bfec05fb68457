import pytest

from soco.provenance.audit.repeat import check_jobs
from soco.provenance.audit.run import Options, audit


@pytest.fixture
def imported(workflow, folder_of_images, tmp_path, make_run):
    """A run with the boxes of a file, up to the report of its proposals."""
    keys = ["a/one.jpg", "b/one.jpg", "b/two two.png", "c/été.webp", "d.bmp"]
    boxes = ", ".join(f'"{key}": [[1, 2, 90, 80], [5, 5, 40, 40]]' for key in keys)
    (tmp_path / "boxes.json").write_text(f"{{{boxes}}}")
    workflow.overlay["images"] |= {"path": str(folder_of_images), "max_skipped": 0.5}
    workflow.overlay["proposals"] = {"engine": "imported", "file": str(tmp_path / "boxes.json")}
    workflow.overlay["quality"] = {"recall": []}
    tasks = {"shapes_coco": None, "shapes_lvis": None}
    none = {"pretrain": {"soco": None}, "finetune": tasks, "probes": {"shapes": None}}
    workflow.overlay |= none
    workflow("report")
    return make_run(workflow.folder)


@pytest.mark.slow
def test_imported_boxes_are_imported_again(imported, failing, tmp_path, move_a_box):
    report = imported.content
    assert "demo_data" not in {job["rule"] for job in report["jobs"]}
    assert [(entry["kind"], entry["used_by"]) for entry in report["data"]] == [
        ("images", ["shard_images"]),
        ("boxes", ["import_regions"]),
    ]
    checks = audit(imported.report, Options(seed=1))
    assert failing(checks) == {}
    assert {"import_regions", "merge_proposals"} <= {check.name for check in checks}
    raw = next(
        path
        for path in sorted(imported.path("proposals/raw").iterdir())
        if path.stat().st_size > 4000
    )
    move_a_box(raw)
    imported.edit_hashes()
    failed = failing(check_jobs(imported.read(), ["0000", "0001"], tmp_path / "repeated"))
    assert failed.keys() == {"import_regions"} and ", repeated [" in failed["import_regions"]
