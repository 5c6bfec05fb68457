import copy
import json

import pytest
from user_errors import refused

from soco.cli import main
from soco.provenance.changes import ABSENT, Change, changes
from soco.provenance.compare import compare_runs
from soco.provenance.reading import Run, read_run


def path_of(folder):
    return folder / "results/report/report.json"


def section_of(name, a, b):
    """One section of the comparison of two reports."""
    sections = compare_runs(Run("a", a), Run("b", b)).sections
    return next(section for section in sections if section.name == name)


def test_changes_of_nested_values_are_listed_by_key():
    a = {"x": {"y": 1, "z": None}, "views": [{"size": 1}, {"size": 2}], "sizes": [1, 2]}
    b = {"x": {"y": 1}, "views": [{"size": 1}, {"size": 3}], "sizes": [1]}
    assert list(changes(a, b)) == [
        Change("x.z", None, ABSENT),
        Change("views.1.size", 2, 3),
        Change("sizes", [1, 2], [1]),
    ]
    assert list(changes([{"a": 1}], [{"a": 2}])) == [Change("0.a", 1, 2)]
    assert not list(changes(a, copy.deepcopy(a)))


def test_a_change_as_a_sentence():
    assert Change("a", ABSENT, 1).sentence("then", "now") == "a is absent then and 1 now"
    long = Change("", "x" * 90, "y").sentence("here", "there")
    assert long.startswith("the value is xxx") and "…" in long and len(long) < 100


def test_equal_runs_have_one_line_for_each_section(tmp_path, report, compared):
    sections = compared(lambda copy: None)
    whole = sections.pop("whole")
    assert whole.same_results
    assert not [name for name, section in sections.items() if section.differs or section.lines]
    assert len(whole.words().splitlines()) == 2 + len(sections)


def test_the_configuration_is_compared_key_by_key(compared):
    def change(copy):
        copy["config"]["filter"]["min_side"] = 48
        copy["config"]["pretrain"]["soco"]["views"][1]["size"] = 80
        copy["config"]["finetune"]["again"] = copy["config"]["finetune"].pop("shapes_lvis")

    section = compared(change)["configuration"]
    assert section.heading == "Configuration: 4 keys differ."
    assert section.lines[:2] == (
        "filter.min_side: 16 -> 48",
        "pretrain.soco.views.1.size: 96 -> 80",
    )
    assert section.lines[2].startswith("finetune.shapes_lvis: only in A (")
    assert section.lines[3].startswith("finetune.again: only in B (")
    assert section.data["changes"][0] == {"key": "filter.min_side", "a": 16, "b": 48}


def test_a_null_is_not_a_missing_key(compared):
    def change(copy):
        copy["config"]["proposals"]["file"] = "boxes.parquet"
        del copy["config"]["images"]["names"]

    assert compared(change)["configuration"].lines == (
        "images.names: only in A (null)",
        "proposals.file: null -> boxes.parquet",
    )


def test_code_lock_packages_and_machine(compared):
    def change(copy):
        environment = copy["environments"][0]
        environment["code"]["dirty"] = True
        environment["packages"] |= {"torch": "2.15.0", "detectron2": "0.6"}
        environment["machine"]["gpus"] = ["H100", "H100"]
        copy["lock"]["sha256"] = "cd" * 32

    sections = compared(change)
    assert sections["code"].differs
    assert sections["code"].heading.endswith("B commit 0123456789ab with uncommitted changes.")
    assert sections["packages"].lines == ("torch: 2.14.1 -> 2.15.0", "detectron2: only in B (0.6)")
    assert sections["machines"].lines == ('gpus: none -> "H100, H100"',)
    assert sections["lock"].heading == "Lock file: abababababab -> cdcdcdcdcdcd."
    assert sections["whole"].same_results


def test_equal_commits_with_uncommitted_changes_are_not_called_equal(report):
    report["environments"][0]["code"]["dirty"] = True
    section = section_of("code", report, report)
    assert "the uncommitted changes may differ" in section.heading and not section.differs


def test_data_are_compared_by_digest(compared):
    def change(copy):
        images, train, val = copy["data"]
        images |= {"digest": "99" * 32, "files": 481}
        train["path"] = "elsewhere/train.json"
        copy["data"] = [images, train, val | {"name": "other.val"}]

    section = compared(change)["data"]
    assert section.heading == "Data: 1 of 4 sets the same."
    assert section.lines == (
        "images: other content, digest cdcdcdcdcdcd -> 999999999999; 480 -> 481 files",
        "annotations shapes_coco.val: only in A (data/coco_val.json)",
        "annotations other.val: only in B (data/coco_val.json)",
    )


def other_bytes(copy, *paths):
    for entry in copy["artefacts"]:
        if entry["path"].removeprefix("results/").startswith(paths):
            entry["sha256"] = "00" * 32


def test_the_rule_at_which_the_runs_diverge_is_named_with_the_cause(compared):
    def change(copy):
        copy["jobs"][2]["params"]["min_side"] = 48
        later = (
            "proposals/filtered",
            "proposals/store",
            "proposals/summary",
            "pretrain",
            "finetune",
            "evaluate",
        )
        other_bytes(copy, *later)

    section = compared(change)["artefacts"]
    assert "the same up to search_regions, different from filter_regions onwards" in section.heading
    assert section.lines[0].endswith("The runs diverge here: same inputs, but min_side: 32 -> 48.")
    rules = "filter_regions merge_proposals pretrain_model finetune_detector evaluate_detector"
    assert [line.split(":")[0] for line in section.lines] == rules.split()
    assert all(line.endswith("because its inputs differ") for line in section.lines[1:])


def test_runs_can_diverge_late_without_any_change(compared):
    section = compared(lambda copy: other_bytes(copy, "finetune", "evaluate"))["artefacts"]
    assert len(section.lines) == 2
    assert section.lines[0].endswith("same inputs and parameters on the same machine.")


def test_other_code_is_named_where_runs_diverge_and_is_not_another_result(compared):
    def change(copy):
        copy["environments"][0]["code"]["commit"] = "f" * 40
        copy["proposals"]["counts"]["origin"] = {"code": {"commit": "f" * 40}}
        other_bytes(copy, "proposals/summary")

    sections = compared(change)
    assert (
        sections["artefacts"]
        .lines[0]
        .endswith("but other code, which may be in the files' origins.")
    )
    assert sections["whole"].same_results


def test_files_with_times_are_ignored(compared):
    varying = ("shards/manifest", "pretrain/soco/log", "pretrain/soco/metrics")
    section = compared(lambda copy: other_bytes(copy, *varying))["artefacts"]
    assert not section.differs
    assert "3 files with times ignored" in section.heading


def test_another_folder_of_results_does_not_make_files_differ(compared):
    def change(copy):
        text = (
            json.dumps(copy)
            .replace('"results/', '"out/again/')
            .replace('"results": "results"', '"results": "out/again"')
        )
        return json.loads(text)

    sections = compared(change)
    assert sections["configuration"].lines == ("results: results -> out/again",)
    assert not sections["artefacts"].differs


def test_a_rule_that_only_one_run_has(compared):
    def change(copy):
        copy["jobs"] = copy["jobs"][:-1]
        copy["artefacts"] = copy["artefacts"][:-2]

    lines = compared(change)["artefacts"].lines
    assert len(lines) == 1
    assert lines[0].startswith(
        "evaluate_detector: 2 files only in A (evaluate/coco/soco/seed_1/metrics.json"
    )


def test_ap_is_matched_by_seed_and_the_difference_has_a_sign(compared):
    def change(copy):
        copy["results"][0]["rows"][0]["box"]["AP"] = 19.25

    sections = compared(change)
    assert sections["results"].lines == ("coco, soco, seed 1: box AP 20.50 -> 19.25 (-1.25)",)
    assert not sections["whole"].same_results


def test_means_and_deviations_over_seeds(written, report):
    a, b = written.with_seeds(report, 20.0, 22.0), written.with_seeds(report, 21.0, 24.0, 27.0)
    section = section_of("results", a, b)
    assert (
        "coco, soco, mean of 2 seeds and of 3 seeds: box AP 21.00 ± 1.41 -> 24.00 ± 3.00 (+3.00)"
        in section.lines
    )
    assert any(
        line.startswith("coco, soco, seed 3: box AP 27.00") and "only in B" in line
        for line in section.lines
    )


def test_ap_of_other_protocols_is_not_compared(compared):
    def change(copy):
        row = copy["results"][0]["rows"][0]
        row["protocol"]["iterations"], row["images"], row["box"]["AP"] = 440, 60, 30.0

    (line,) = compared(change)["results"].lines
    assert "box AP 20.50 -> 30.00. Not comparable" in line
    assert line.endswith("the protocols differ: iterations: 220 -> 440, images: 120 -> 60.")
    assert "+" not in line


def test_ap_of_another_number_of_detections_is_not_compared(report):
    a, b = copy.deepcopy(report), copy.deepcopy(report)
    for content, limit, ap in ((a, 100, 66.3), (b, 500, 100.0)):
        row = content["results"][0]["rows"][0]
        row["protocol"]["detections_per_image"], row["box"]["AP"] = limit, ap
    assert section_of("results", a, b).lines == (
        "coco, soco, seed 1: box AP 66.30 -> 100.00. Not comparable, because the protocols differ: "
        "detections_per_image: 100 -> 500.",
    )


def test_an_ap_of_0_is_not_a_missing_one(compared):
    def change(copy):
        copy["results"][0]["rows"][0]["box"] |= {"AP": 0.0, "AP50": 0.0, "AP75": None}

    (line,) = compared(change)["results"].lines
    assert (
        line
        == "coco, soco, seed 1: box AP 20.50 -> 0.00 (-20.50), AP50 43.00 -> 0.00 (-43.00), AP75"
        " 19.00 -> –"
    )


def test_another_torch_is_not_another_protocol_and_a_category_is_compared(compared):
    def change(copy):
        row = copy["results"][0]["rows"][0]
        row["protocol"]["torch"], row["per_category"]["disc"]["mask"] = "2.15.0", 30.3

    (line,) = compared(change)["results"].lines
    assert line == "coco, soco, seed 1: AP, AP50 and AP75 the same, other metrics not"


def test_a_loss_that_differs_is_another_result(compared):
    def change(copy):
        copy["pretraining"][0]["final_loss"] = -4.5

    sections = compared(change)
    assert sections["figures"].lines == ("pretraining soco.final_loss: -4.776 -> -4.5",)
    assert not sections["whole"].same_results


def test_time_and_memory_within_ten_percent_are_not_listed(compared):
    def change(copy):
        copy["resources"][0]["total_seconds"] = 32.0
        copy["resources"][4] |= {"total_seconds": 61.0, "peak_rss_mb": 256.0}
        copy["resources"].pop()

    sections = compared(change)
    assert sections["costs"].lines == (
        "pretrain_model: 30.5 s -> 61.0 s (+100%), 512.2 MB -> 256.0 MB (-50%)",
        "evaluate_detector: only in A",
    )
    assert sections["whole"].same_results


def test_exit_codes_are_those_of_diff(tmp_path, written, report, capsys):
    a, b = path_of(tmp_path / "run"), path_of(tmp_path / "other")
    changed = written.write_run(tmp_path / "other")
    changed["results"][0]["rows"][0]["mask"]["AP"] = 1.0
    written.save(changed, tmp_path / "other")
    assert main(["compare", str(a), str(a)]) == 0
    assert "Results: the same" in capsys.readouterr().out
    assert main(["compare", str(a), str(b), "--json", str(tmp_path / "out.json")]) == 1
    assert "mask AP 18.20 -> 1.00 (-17.20)" in capsys.readouterr().out
    written_json = json.loads((tmp_path / "out.json").read_text())
    assert written_json["same_results"] is False
    entry = written_json["sections"]["results"]["entries"][0]
    assert entry["figures"]["mask"]["AP"] == {
        "a": 18.2,
        "b": 1.0,
        "difference": pytest.approx(-17.2),
    }
    assert main(["compare", str(a), str(tmp_path / "none.json")]) == 2


def test_reports_of_an_older_version_are_refused(tmp_path, written, report):
    del report["schema"], report["jobs"], report["environments"]
    path = written.save(report, tmp_path / "run")
    with refused("report.run_too_old", path=path, missing="environments, jobs"):
        read_run(path)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("[1]", "report.run_not_a_report"),
        ('{"sections": []}', "report.run_not_a_report"),
        ('{"schema": 9, "config": {}, "results": []}', "report.run_too_new"),
    ],
)
def test_other_files_are_refused(tmp_path, content, code):
    path = tmp_path / "file.json"
    path.write_text(content)
    with refused(code, path=path):
        read_run(path)


def test_a_folder_instead_of_a_report_is_refused(tmp_path):
    with refused("report.run_is_a_folder", path=tmp_path):
        read_run(tmp_path)
