import re

from soco.jobs import read_record
from soco.report.resources import STAGES, rule_resources, stage_costs, stage_of


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


def test_every_rule_that_leaves_a_record_has_a_stage(repository):
    """All rules but those that tell of the run have one."""
    text = "\n".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    recorded = re.findall(
        r"^\s*(?:rule|checkpoint) (\w+):(?:(?!\n\s*(?:rule|checkpoint) ).)*?\borigin=",
        text,
        re.M | re.S,
    )
    assert {rule for rule in recorded if stage_of(rule) == "other"} <= {"report"}
    assert {rule for rules in STAGES.values() for rule in rules} <= set(recorded)


def test_costs_are_added_up_by_stage_in_the_order_of_the_work(inputs):
    stages = {entry["stage"]: entry for entry in stage_costs(of_rules(inputs))}
    assert list(stages) == [
        "data",
        "proposals",
        "pretraining",
        "conversion",
        "fine-tuning",
        "evaluation",
    ]
    proposals = stages["proposals"]
    assert (
        proposals["total_seconds"] == 61.5 + 58.5 + 0.3 + 1.4 and proposals["peak_rss_mb"] == 530.75
    )
    assert proposals["cpu_seconds"] == 1.5 * proposals["total_seconds"]
    assert stage_costs([]) == []
