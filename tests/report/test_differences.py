"""Differences from scratch and their intervals, checked by hand."""

import math

import pytest

from soco.report.seed_statistics import difference, from_scratch, grouped, summarise
from soco.report.sentences import difference_words, signed, summary_sentences
from soco.report.tables import ap_table


@pytest.fixture
def task(metrics):
    """Make a task of box AP by initialisation and seed.

    More words change the protocol of all but scratch.
    """

    def of(scratch, soco, **protocol):
        rows = [metrics("t", "scratch", seed, {"AP": ap}) for seed, ap in enumerate(scratch, 1)]
        rows += [
            metrics("t", "soco", seed, {"AP": ap}, **protocol) for seed, ap in enumerate(soco, 1)
        ]
        groups = grouped(rows)
        summary = [summarise(group) for group in groups]
        return {"task": "t", "summary": summary, "differences": from_scratch(groups)}

    return of


def test_the_interval_is_welchs():
    # Means 2 and 6; variances 1 and 4 over 3 seeds: a standard error of root(5/3), and (5/3)^2 /
    # (1/18 + 16/18) = 2.941 degrees of freedom, whose 97.5 % quantile of t is 3.2190.
    found = difference([1.0, 2.0, 3.0], [4.0, 6.0, 8.0])
    assert found["mean"] == -4.0
    width = 3.2190 * math.sqrt(5 / 3)
    assert (found["low"], found["high"]) == (
        pytest.approx(-4 - width, abs=1e-3),
        pytest.approx(-4 + width, abs=1e-3),
    )


def test_one_seed_has_no_interval():
    assert difference([3.0], [1.0, 2.0]) == {"mean": 1.5, "low": None, "high": None}


@pytest.mark.parametrize(
    ("own", "other"), [([None], [1.0]), ([1.0], [None]), ([1.0, None], [1.0, 2.0])]
)
def test_a_missing_value_has_no_difference(own, other):
    assert difference(own, other) == {"mean": None, "low": None, "high": None}


def test_equal_seeds_have_no_interval(task):
    assert difference([2.0, 2.0], [1.0, 1.0]) == {"mean": 1.0, "low": None, "high": None}
    (sentence,) = summary_sentences(task([1.0, 1.0], [2.0, 2.0]))
    assert sentence.endswith(
        "(2 seeds against 2 seeds), without a confidence interval: it may be chance."
    )


def test_one_side_may_have_no_variance():
    # Scratch varies alone: a standard error of root(0.045 / 2) = 0.15 with one degree of freedom, t
    # 12.706.
    found = difference([2.0, 2.0], [1.0, 1.3])
    assert found["low"] == pytest.approx(0.85 - 12.706 * 0.15, abs=1e-3)


def test_initialisations_are_compared_with_scratch(task):
    (entry,) = task([30.0, 31.0], [42.0, 43.0])["differences"]
    assert (entry["label"], entry["seeds"], entry["unlike"]) == ("soco", [2, 2], {})
    assert entry["box"]["AP"]["mean"] == entry["mask"]["AP"]["mean"] == 12.0
    assert entry["box"]["AP"]["low"] < 12 < entry["box"]["AP"]["high"]


def test_without_one_row_of_scratch_nothing_is_compared(task, metrics):
    assert task([], [42.0])["differences"] == []
    unlike = [metrics("t", "scratch", seed, {"AP": 1.0}, base_lr=seed / 100) for seed in (1, 2)]
    assert from_scratch(grouped([*unlike, metrics("t", "soco", 1, {"AP": 2.0})])) == []


def test_sentences_claim_what_the_seeds_support(task):
    (clear,) = summary_sentences(task([30.0, 30.5, 31.0], [42.0, 42.5, 43.0]))
    assert clear.startswith(
        "t: soco reaches box AP 42.5, the mean of 3 seeds; scratch reaches box AP 30.5, the mean of"
    )
    assert (
        "The difference is +12.0, 95 % confidence interval +10.9 to +13.1 over" in clear
        and "chance" not in clear
    )
    (open_,) = summary_sentences(task([30.0, 36.0], [34.0, 35.0]))
    assert open_.endswith("over the seeds, so it may be chance.") and "+1.5" in open_
    (single,) = summary_sentences(task([31.0], [30.0]))
    assert single.endswith(
        "The difference is \u22121.0 (1 seed against 1 seed), without a confidence interval: it may"
        " be chance."
    )
    (alone,) = summary_sentences(task([], [42.0]))
    assert alone == "t: soco reaches box AP 42.0."
    (unscored,) = summary_sentences(task([1.0], [None]))
    assert unscored == "t: soco has no box AP; scratch reaches box AP 1.0."


def test_different_protocols_are_mentioned(task):
    unlike = task([31.0], [30.0], iterations=440)
    (sentence,) = summary_sentences(unlike)
    words = "Their protocols differ: iterations 440 and 220"
    assert sentence.endswith(words + ".")
    assert difference_words(unlike["differences"][0]).endswith(words)


def test_a_difference_has_its_sign():
    assert [signed(value) for value in (1.25, -0.04, 0.0, None)] == [
        "+1.2",
        "+0.0",
        "+0.0",
        "\u2013",
    ]


def test_the_papers_differences_follow(built, parsed):
    content, page = built
    coco, lvis = (ap_table(task, content) for task in content["results"])
    (soco,) = [e for e in coco["paper_differences"] if (e["label"], e["epochs"]) == ("SoCo", 100)]
    # The paper: 42.3 from 31.0, masks 37.6 from 28.5.
    assert (soco["box"]["AP"]["mean"], soco["mask"]["AP"]["mean"]) == (
        pytest.approx(11.3),
        pytest.approx(9.1),
    )
    assert lvis["paper_differences"] == []  # the paper has no row from scratch there
    text = " ".join(parsed(page).text.split())
    assert "Paper: SoCo \u2212 scratchR50-FPN, 100 epochs+11.3" in text
    assert "2 seeds against 2 seeds; in small type: 95 % confidence interval (Welch)" in text
    (entry,) = content["results"][0]["differences"]
    low, high = (signed(entry["box"]["AP"][end]) for end in ("low", "high"))
    assert f"{low} to {high}" in text
