import numpy as np
import pytest

from soco.errors import UserError
from soco.proposals import Strategy, filter_mask

IMAGE = (200, 100)


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("none", Strategy()),
        ("ratio2", Strategy(ratio=2)),
        ("ratio2.5", Strategy(ratio=2.5)),
        ("size01", Strategy(low=0.1)),
        ("size0308", Strategy(low=0.3, high=0.8)),
        ("ratio3size0308", Strategy(ratio=3, low=0.3, high=0.8)),
    ],
)
def test_names_are_read(name, strategy):
    assert Strategy.parse(name) == strategy


@pytest.mark.parametrize(
    "name", ["", "ratio", "size3", "0308", "ratio3size030", "Ratio3", "ratio0"]
)
def test_other_names_are_refused(name):
    with pytest.raises(UserError, match="no filter strategy"):
        Strategy.parse(name)


@pytest.mark.parametrize(
    ("size", "kept"),
    [((32, 32), True), ((31, 50), False), ((50, 31), False), ((0, 0), False)],
)
def test_narrow_rects_are_dropped_by_every_strategy(size, kept):
    assert filter_mask(np.array([[0, 0, *size]]), IMAGE, Strategy()).tolist() == [kept]


@pytest.mark.parametrize(
    ("size", "kept"), [((96, 32), True), ((97, 32), False), ((33, 99), True), ((33, 100), False)]
)
def test_the_ratio_bounds_both_sides(size, kept):
    assert filter_mask(np.array([[0, 0, *size]]), IMAGE, Strategy(ratio=3)).tolist() == [kept]


@pytest.mark.parametrize(
    ("size", "kept"), [((40, 45), True), ((40, 44), False), ((128, 100), True), ((129, 100), False)]
)
def test_the_size_is_a_share_of_the_image(size, kept):
    strategy = Strategy(low=0.3, high=0.8)
    assert filter_mask(np.array([[0, 0, *size]]), IMAGE, strategy).tolist() == [kept]


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        (Strategy(), "none"),
        (Strategy(ratio=3, low=0.3, high=0.8), "ratio3size0308"),
        (Strategy(ratio=2.5, low=0.25, high=0.75), "ratio2.5size0.25-0.75"),
        (Strategy(low=0.3, high=0.85), "size0.3-0.85"),
        (Strategy(low=0.3), "size03"),
        (Strategy(low=0.00001), "size0.00001-"),
        (Strategy(high=0.8), "size-0.8"),
        (Strategy(low=0, high=1), "size0010"),
    ],
)
def test_a_strategy_has_one_name_that_reads_back(strategy, name):
    assert strategy.name == name
    assert Strategy.parse(name) == strategy
    assert strategy.model_dump() == name


@pytest.mark.parametrize("name", ["size-", "size0803", "size0.8-0.3", "size2-", "none ", "size0.5"])
def test_invalid_names_are_refused(name):
    with pytest.raises(UserError, match="no filter strategy"):
        Strategy.parse(name)
