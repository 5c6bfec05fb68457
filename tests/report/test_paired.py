"""Differences paired by seed, and the section of the page that shows them."""

import dataclasses
import json
import math

import pytest

from soco.report.paired import (
    paired_difference,
    paired_differences,
    pretraining_spread,
    verdict,
)
from soco.report.pooling import arms_of
from soco.report.seed_statistics import grouped
from soco.report.sentences import paired_words


@pytest.fixture
def arms(metrics):
    """Make the arms of a task from box AP by initialisation, the first of seed 1.

    Names that begin alike, up to `_`, are pretrainings of one recipe.
    """

    def of(**scores):
        rows = [
            metrics("t", name, seed, {"AP": ap})
            for name, of_name in scores.items()
            for seed, ap in enumerate(of_name, 1)
        ]
        return arms_of(grouped(rows), {name: name.partition("_")[0] for name in scores})

    return of


def test_the_interval_is_students():
    # Mean 2, squares 1 + 0 + 1, variance 1; t(0.975, 2) = 4.302653 times 1 / root 3.
    found = paired_difference([1.0, 2.0, 3.0])
    half = 4.302653 / math.sqrt(3)
    assert found == {
        "mean": 2.0,
        "low": pytest.approx(2 - half, abs=1e-6),
        "high": pytest.approx(2 + half, abs=1e-6),
    }


@pytest.mark.parametrize(
    ("differences", "mean"),
    [([3.0], 3.0), ([2.0, 2.0], 2.0), ([1.0, None], None), ([], None)],
)
def test_without_two_unlike_differences_there_is_no_interval(differences, mean):
    assert paired_difference(differences) == {"mean": mean, "low": None, "high": None}


def test_the_verdict_is_the_intervals():
    assert verdict(0.1, 2.0) == "helps"
    assert verdict(-2.0, -0.1) == "hurts"
    assert [verdict(-1.0, 1.0), verdict(0.0, 1.0), verdict(-1.0, 0.0)] == ["not decided"] * 3
    assert verdict(None, None) == "not decided"


def test_pairing_decides_what_independent_samples_do_not(arms):
    # The seeds vary by 10, the differences by 0.1 only.
    (entry,) = paired_differences(arms(scratch=[10.0, 20.0, 30.0], soco=[11.0, 21.1, 30.9]))
    assert (entry["label"], entry["baseline"]) == ("soco", "scratch")
    assert (entry["n"], entry["seeds"], entry["unlike"]) == (3, [1, 2, 3], {})
    assert entry["box"]["mean"] == pytest.approx(1.0)
    assert entry["box"]["low"] > 0.7 and entry["box"]["verdict"] == "helps"
    assert entry["mask"] == pytest.approx(entry["box"])
    assert entry["alone"] == []


def test_every_pair_is_the_later_minus_the_earlier(arms):
    entries = paired_differences(arms(scratch=[5.0, 5.1], start=[3.0, 3.0], soco=[9.0, 9.2]))
    assert [(entry["label"], entry["baseline"]) for entry in entries] == [
        ("start", "scratch"),
        ("soco", "scratch"),
        ("soco", "start"),
    ]
    means = [entry["box"]["mean"] for entry in entries]
    assert means == pytest.approx([-2.05, 4.05, 6.1])
    assert [entry["box"]["verdict"] for entry in entries] == ["hurts", "helps", "helps"]


def test_only_shared_seeds_are_compared(arms):
    (entry,) = paired_differences(arms(scratch=[1.0, 2.0], soco=[2.0, 4.0, 99.0]))
    assert (entry["seeds"], entry["box"]["mean"]) == ([1, 2], 1.5)


def test_pretrainings_of_one_recipe_are_one_side_and_shown_alone(arms):
    both = arms(scratch=[10.0, 10.0], soco=[12.0, 12.2], soco_b=[9.0, 11.0])
    (entry,) = paired_differences(both)
    assert entry["label"] == "soco (2 pretrainings)"
    # (12 + 9) / 2 - 10 and (12.2 + 11) / 2 - 10.
    assert entry["box"]["mean"] == pytest.approx((0.5 + 1.6) / 2)
    assert [(each["label"], each["baseline"]) for each in entry["alone"]] == [
        ("soco", "scratch"),
        ("soco_b", "scratch"),
    ]
    assert [each["box"]["verdict"] for each in entry["alone"]] == ["helps", "not decided"]
    assert paired_words(entry) == (
        "2 seeds: 1, 2; box AP of each pretraining alone: 1 helps, 1 not decided"
    )


def test_the_pretrainings_spread_is_that_of_their_means(arms):
    (entry,) = pretraining_spread(arms(scratch=[1.0, 1.0], soco=[12.0, 14.0], soco_b=[9.0, 11.0]))
    assert (entry["label"], entry["n"]) == ("soco (2 pretrainings)", 2)
    assert entry["pretrainings"] == [
        {"initialisation": "soco", "box": 13.0, "mask": 11.0},
        {"initialisation": "soco_b", "box": 10.0, "mask": 8.0},
    ]
    assert entry["box"] == {"mean": 11.5, "std": pytest.approx(3 / math.sqrt(2))}


def test_different_protocols_are_mentioned(metrics):
    rows = [metrics("t", "scratch", seed, {"AP": float(seed)}) for seed in (1, 2)]
    rows += [metrics("t", "soco", seed, {"AP": 9.0}, iterations=440) for seed in (1, 2)]
    (entry,) = paired_differences(arms_of(grouped(rows), {}))
    assert paired_words(entry).endswith("Their protocols differ: iterations 440 and 220")


def test_the_page_has_the_section_and_its_numbers(built, parsed):
    content, page = built
    coco, lvis = content["results"]
    (entry,) = coco["paired"]
    # scratch and soco, seeds 1 and 2: the difference of each seed by hand.
    by_seed = {(row["initialisation"], row["seed"]): row["box"]["AP"] for row in coco["rows"]}
    one, two = (by_seed["soco", seed] - by_seed["scratch", seed] for seed in (1, 2))
    assert entry["box"]["mean"] == pytest.approx((one + two) / 2)
    half = 12.7062 * abs(one - two) / 2  # t(0.975, 1), and s / root 2 = |one - two| / 2
    assert entry["box"]["high"] - entry["box"]["mean"] == pytest.approx(half, rel=1e-4)
    assert lvis["paired"] == []  # one seed
    text = " ".join(parsed(page).text.split())
    assert "Does pretraining help?" in text
    assert "soco \u2212 scratch" in text and entry["box"]["verdict"] in text
    assert "The images and labels are the embedded demo\u2019s." in text


def test_the_page_shows_pretrainings_of_one_recipe(inputs, changed, build, parsed, tmp_path):
    config = json.loads(json.dumps(inputs.config))
    config["pretrain"]["soco_b"] = config["pretrain"]["soco"] | {"seed": 2}
    evaluations = [*inputs.evaluations]
    evaluations += [
        _copy(files, "soco_b", tmp_path / f"{files.seed}.json")
        for files in inputs.evaluations
        if (files.task, files.initialisation) == ("coco", "soco")
    ]
    evaluations.sort(key=lambda files: files.task)
    content, page = build(changed(config=config, evaluations=tuple(evaluations)), tmp_path / "out")
    (entry,) = content["results"][0]["paired"]
    assert (entry["label"], len(entry["alone"])) == ("soco (2 pretrainings)", 2)
    (spread,) = content["results"][0]["pretrainings"]
    assert spread["box"]["std"] == pytest.approx(3 / math.sqrt(2))  # three more AP in each seed
    text = " ".join(parsed(page).text.split())
    assert "soco (2 pretrainings) \u2212 scratch" in text
    assert "each pretraining alone" in text and "soco_b \u2212 scratch" in text


def _copy(files, name, path):
    """An evaluation of another pretraining, with three more box AP."""
    metrics = json.loads(files.metrics.read_text())
    metrics["box"]["AP"] += 3
    path.write_text(json.dumps(metrics))
    return dataclasses.replace(files, initialisation=name, metrics=path, loading=None)
