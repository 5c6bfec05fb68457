import copy

import jsonschema
import pytest
from pydantic import ValidationError

from soco.errors import UserError
from soco.jobs import read_record
from soco.report import provenance
from soco.report.provenance import lock_state, redo_commands, rule_resources, stage_costs
from soco.report.schema import Report
from soco.report.sentences import commit_words


def test_a_run_is_repeated_from_its_commit():
    zeros, ones = ({"commit": digit * 40} for digit in "01")
    assert redo_commands(zeros, [])[0] == f"git checkout {'0' * 40}"
    # The jobs' own commit, where they have one in common, and not that of a report that was made
    # later.
    assert redo_commands(zeros, [{"code": ones}, {"code": ones}])[0] == f"git checkout {'1' * 40}"
    assert redo_commands(zeros, [{"code": ones}, {"code": zeros}])[0] == f"git checkout {'0' * 40}"
    assert redo_commands({"commit": None}, []) == ["make install", ".venv/bin/snakemake report"]


def test_a_page_without_commit_says_why(monkeypatch, inputs, tmp_path):
    from soco.report.build import build_report

    unknown = {"commit": None, "dirty": None, "note": "git is not installed"}
    monkeypatch.setattr(provenance, "git_state", lambda folder: unknown)
    build_report(inputs, tmp_path / "report.html", tmp_path / "report.json")
    assert "unknown: git is not installed" in (tmp_path / "report.html").read_text()


def test_the_report_matches_its_schema(built):
    content = copy.deepcopy(built[0])
    Report.model_validate(content)
    jsonschema.validate(content, Report.model_json_schema())
    del content["artefacts"][0]["sha256"]
    with pytest.raises(ValidationError, match="sha256"):
        Report.model_validate(content)


def test_every_artefact_points_at_the_job_that_made_it(built):
    report = built[0]
    assert report["artefacts"]
    for artefact in report["artefacts"]:
        assert artefact["path"] in report["jobs"][artefact["job"]]["outputs"]
    rows = [row for task in report["results"] for row in task["rows"]]
    assert {report["artefacts"][row["artefact"]]["path"].rsplit("/", 1)[1] for row in rows} == {
        "metrics.json"
    }


def test_the_run_spans_all_jobs(built):
    report = built[0]
    assert report["run"] == {
        "started": "2026-11-23T10:00:00+00:00",
        "ended": "2026-11-23T10:03:34+00:00",
        "targets": None,
    }
    assert len(report["environments"]) == 1
    assert {job["environment"] for job in report["jobs"]} == {0}


def test_a_missing_lock_has_no_hash(tmp_path):
    assert lock_state(tmp_path / "none")["sha256"] is None
    assert len(lock_state()["sha256"]) == 64


def test_a_record_that_is_missing_is_named(inputs, changed, build, tmp_path):
    with pytest.raises(UserError, match="no-such"):
        build(changed(origins=(tmp_path / "no-such.json",)), tmp_path)


def test_the_page_opens_with_the_code_of_the_jobs():
    one, other = ({"commit": digit * 40, "dirty": digit == "1"} for digit in "01")
    assert commit_words(one, [one]) == commit_words(one, []) == "commit 000000000000"
    assert (
        commit_words(one, [other])
        == "the jobs ran at commit 111111111111 with uncommitted changes, this report was made at"
        " 000000000000"
    )
    assert commit_words({"commit": None, "dirty": None}, []) == "commit unknown"


def test_imported_boxes_and_given_weights_are_mentioned(changed, build, parsed, inputs, tmp_path):
    """A run without pretraining: boxes of another program, and given weights."""
    weights, boxes = tmp_path / "supervised.pth", tmp_path / "boxes.parquet"
    weights.write_bytes(b"weights")
    boxes.write_bytes(b"boxes")
    given = {"path": str(weights)}
    proposals = inputs.config["proposals"] | {"engine": "imported", "file": str(boxes)}
    config = inputs.config | {"proposals": proposals, "weights": {"soco": given}, "pretrain": {}}
    _, page = build(changed(config=config, pretrain=(), conversions=()), tmp_path)
    text = " ".join(parsed(page).text.split())
    line = text[text.index("Given weights") : text.index("AP in percent")]
    assert f"soco: {weights}" in line
    assert "without labels from" not in text and f"The boxes were imported from {boxes}" in text
    assert "from selective search" not in text and 'href="#views"' not in page


def of_rules(inputs):
    return rule_resources([read_record(path) for path in inputs.origins])


def test_jobs_of_a_rule_are_added_up(inputs):
    rules = {entry["rule"]: entry for entry in of_rules(inputs)}
    search = rules["search_regions"]
    assert (search["jobs"], search["total_seconds"], search["longest_seconds"]) == (2, 120.0, 61.5)
    assert (search["peak_rss_mb"], search["cpu_seconds"]) == (530.75, 180.0)
    assert rules["merge_proposals"]["jobs"] == 1


def test_the_slowest_rule_comes_first(inputs):
    assert [entry["rule"] for entry in of_rules(inputs)][:3] == [
        "finetune_detector",
        "pretrain_model",
        "search_regions",
    ]


def test_without_jobs_there_are_no_rules():
    assert rule_resources([]) == []


def test_costs_are_added_up_by_stage_in_order(inputs):
    jobs = [read_record(path) for path in inputs.origins]
    stages = {entry["stage"]: entry for entry in stage_costs(of_rules(inputs), jobs)}
    assert list(stages) == ["demo", "proposals", "pretrain", "convert", "finetune"]
    proposals = stages["proposals"]
    assert (
        proposals["total_seconds"] == 61.5 + 58.5 + 0.3 + 1.4 and proposals["peak_rss_mb"] == 530.75
    )
    assert proposals["cpu_seconds"] == 1.5 * proposals["total_seconds"]
    assert stage_costs([], []) == []
