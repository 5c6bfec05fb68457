from soco.origins import read_record
from soco.report.resources import rule_resources


def of_rules(inputs):
    return rule_resources([read_record(path) for path in inputs.origins])


def test_jobs_of_a_rule_are_added_up(inputs):
    rules = {entry["rule"]: entry for entry in of_rules(inputs)}
    search = rules["search_regions"]
    assert (search["jobs"], search["total_seconds"], search["longest_seconds"]) == (2, 120.0, 61.5)
    assert (search["peak_rss_mb"], search["cpu_seconds"]) == (530.75, 180.0)
    assert rules["merge_proposals"]["jobs"] == 1


def test_the_longest_rule_stands_first(inputs):
    assert [entry["rule"] for entry in of_rules(inputs)][:3] == [
        "finetune_detector",
        "pretrain_model",
        "search_regions",
    ]


def test_without_jobs_there_are_no_rules():
    assert rule_resources([]) == []
