"""Which initialisations are pretrainings of one recipe, and how they are averaged."""

from soco.config import PretrainConfig
from soco.report.pooling import arms_of, recipes_of
from soco.report.seed_statistics import grouped


def settings(**changed):
    return PretrainConfig(**changed).model_dump(mode="json")


def test_pretrainings_that_differ_only_in_the_seed_share_a_recipe():
    config = {
        "seed": 1,
        "pretrain": {
            "soco": settings(),  # the top-level seed
            "other": settings(crop_scale=0.6),
            "soco_b": settings(seed=2, workers=0),
            "other_b": settings(crop_scale=0.6, seed=7),
        },
    }
    assert recipes_of(config) == {
        "soco": "soco",
        "other": "other",
        "soco_b": "soco",
        "other_b": "other",
    }


def test_the_same_seed_twice_is_not_another_pretraining():
    config = {"seed": 1, "pretrain": {"soco": settings(), "again": settings(seed=1)}}
    assert recipes_of(config) == {"soco": "soco", "again": "again"}


def test_pretrainings_are_averaged_for_each_fine_tuning_seed(metrics):
    rows = [
        metrics("t", name, seed, {"AP": ap, "AP50": None})
        for name, seeds in (("a", (10.0, 20.0, 90.0)), ("scratch", (1.0, 2.0)), ("b", (14.0, 22.0)))
        for seed, ap in enumerate(seeds, 1)
    ]
    pooled, scratch = arms_of(grouped(rows), {"a": "a", "b": "a"})
    assert (pooled.label, scratch.label) == ("a (2 pretrainings)", "scratch")
    assert (pooled.seeds, pooled.is_pooled, scratch.is_pooled) == ([1, 2], True, False)
    assert [pooled.value("box", "AP", seed) for seed in (1, 2)] == [12.0, 21.0]
    assert [pooled.value("mask", "AP", seed) for seed in (1, 2)] == [10.0, 19.0]
    assert pooled.value("box", "AP50", 1) is None


def test_an_initialisation_with_one_seed_takes_no_part(metrics):
    rows = [metrics("t", "one", 1, {"AP": 1.0})]
    # Seeds with different protocols are rows of their own.
    rows += [metrics("t", "mixed", seed, {"AP": 1.0}, base_lr=seed / 100) for seed in (1, 2)]
    rows += [metrics("t", "both", seed, {"AP": 1.0}) for seed in (1, 2)]
    assert [arm.label for arm in arms_of(grouped(rows), {})] == ["both"]
