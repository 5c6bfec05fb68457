import pytest

from soco.report.benchmarks import read_benchmarks


def test_jobs_of_a_rule_are_added_up(inputs):
    rules = {entry["rule"]: entry for entry in read_benchmarks(inputs.benchmarks)}
    search = rules["search_proposals"]
    assert (search["jobs"], search["total_seconds"], search["longest_seconds"]) == (2, 120.0, 61.5)
    assert (search["peak_rss_mb"], search["cpu_seconds"]) == (530.75, pytest.approx(180.0))
    assert rules["merge_proposals"]["jobs"] == 1


def test_the_longest_rule_stands_first_and_the_report_itself_is_left_out(inputs):
    names = [entry["rule"] for entry in read_benchmarks(inputs.benchmarks)]
    assert names[:3] == ["finetune", "pretrain", "search_proposals"] and "report" not in names


def test_what_was_not_measured_is_none(inputs):
    entry = next(entry for entry in read_benchmarks(inputs.benchmarks) if entry["rule"] == "filter_proposals")
    assert (entry["total_seconds"], entry["peak_rss_mb"], entry["cpu_seconds"]) == (0.3, None, None)


def test_a_repeated_benchmark_counts_each_line(tmp_path):
    (tmp_path / "search.tsv").write_text("s\tmax_rss\n1.5\t10\n2.5\t-\n")
    assert read_benchmarks(tmp_path) == [
        {
            "rule": "search",
            "jobs": 2,
            "total_seconds": 4.0,
            "longest_seconds": 2.5,
            "cpu_seconds": None,
            "peak_rss_mb": 10.0,
        }
    ]
