"""Means over seeds, checked by hand."""

import math

import pytest

from soco.report.protocol import named_words, protocol_table, seed_words, setting_words, value_words
from soco.report.seed_statistics import grouped, mean_std, summarise, unlike_keys


@pytest.fixture
def rows(metrics):
    """Three seeds of soco with box AP 40, 41 and 43.5, and one of scratch."""
    soco = [
        metrics("t", "soco", seed, {"AP": ap, "APs": None})
        for seed, ap in ((1, 40.0), (2, 41.0), (3, 43.5))
    ]
    return [metrics("t", "scratch", 1, {"AP": 31.0, "APs": 2.0}), *soco]


def test_the_deviation_is_that_of_the_sample():
    # Mean (40 + 41 + 43.5) / 3 = 41.5; squares 2.25 + 0.25 + 4 = 6.5; 6.5 / (3 - 1) = 3.25.
    assert mean_std([40.0, 41.0, 43.5]) == {"mean": 41.5, "std": pytest.approx(math.sqrt(3.25))}
    # Two values: their difference over the root of 2.
    assert mean_std([10.0, 13.0]) == {"mean": 11.5, "std": pytest.approx(3 / math.sqrt(2))}


def test_a_single_seed_has_no_deviation():
    assert mean_std([40.0]) == {"mean": 40.0, "std": None}


@pytest.mark.parametrize("values", [[], [None], [40.0, None]])
def test_a_missing_value_has_no_mean(values):
    assert mean_std(values) == {"mean": None, "std": None}


def test_an_initialisation_is_summarised(rows):
    scratch, soco = map(summarise, grouped(rows))
    assert (scratch["label"], scratch["n"], scratch["box"]["AP"]) == (
        "scratch",
        1,
        {"mean": 31.0, "std": None},
    )
    assert (soco["n"], soco["seeds"], soco["differs"]) == (3, [1, 2, 3], {})
    assert soco["box"]["AP"] == {"mean": 41.5, "std": pytest.approx(1.802776, abs=1e-6)}
    assert soco["mask"]["AP"] == {"mean": 39.5, "std": pytest.approx(1.802776, abs=1e-6)}
    assert soco["box"]["APs"] == {"mean": None, "std": None}
    assert "seed" not in soco["protocol"] and soco["protocol"]["base_lr"] == 0.08


def test_seeds_with_different_protocols_are_not_averaged(rows):
    rows[2]["protocol"]["base_lr"] = 0.02
    summary = [summarise(group) for group in grouped(rows)]
    assert [entry["label"] for entry in summary] == [
        "scratch",
        "soco, seed 1",
        "soco, seed 2",
        "soco, seed 3",
    ]
    assert [entry["box"]["AP"]["mean"] for entry in summary] == [31.0, 40.0, 41.0, 43.5]
    assert summary[1]["differs"] == {"base_lr": [0.08, 0.02, 0.08]} and summary[0]["differs"] == {}


def test_another_validation_split_counts_as_different(rows):
    rows[3]["images"] = 5
    assert unlike_keys(rows[1:]) == {"images": [6, 6, 5]}


def test_a_protocol_in_words(rows):
    protocol = rows[0]["protocol"]
    assert named_words(protocol) == "coco_fpn_1x, changed: base_lr 0.08, iterations 220"
    assert named_words(protocol | {"changed": {}}) == "coco_fpn_1x, unchanged"
    assert named_words({"name": None, "changed": {}}) == "no named protocol"
    assert named_words(protocol | {"changed": dict.fromkeys("abcde", 1)}) == (
        "coco_fpn_1x, but with 5 keys changed, see below"
    )
    assert (
        setting_words(protocol)
        == "fpn, 4 conv + 1 fc, SyncBN over 1 process; 220 iterations of 8 images; lr 0.08, weight"
        " decay 2.5e-05; at most 20 detections per image; detectron2 0.6"
    )
    assert (seed_words([7]), seed_words([1, 2, 3])) == ("seed 7", "3 seeds: 1, 2, 3")


def test_settings_are_written_for_readers():
    values = [90000, 2.5e-5, [640, 672], [], True, None, "SyncBN"]
    assert list(map(value_words, values)) == [
        "90\u202f000",
        "2.5e-05",
        "640, 672",
        "none",
        "yes",
        "–",
        "SyncBN",
    ]


def test_the_whole_protocol_is_one_column_where_all_agree(rows):
    summary = [summarise(group) for group in grouped(rows)]
    table = protocol_table(summary)
    cells = {row["key"]: row["cells"] for row in table["rows"]}
    assert table["columns"] == ["all"]
    assert (
        cells["base_lr"] == [{"value": "0.08", "changed": True}]
        and not cells["batch_size"][0]["changed"]
    )
    assert not {"name", "changed", "seed"} & cells.keys()
    summary[1]["protocol"] = summary[1]["protocol"] | {
        "name": None,
        "changed": {"rois": 32},
        "batch_size": 16,
    }
    table = protocol_table(summary)
    cells = {row["key"]: row["cells"] for row in table["rows"]}
    assert table["columns"] == ["scratch", "soco"]
    assert [cell["value"] for cell in cells["batch_size"]] == ["8", "16"]
    assert cells["rois"] == [{"value": "–", "changed": False}, {"value": "32", "changed": True}]
