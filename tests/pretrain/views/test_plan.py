import dataclasses

import numpy as np
import pytest
import torch

from soco.config import PretrainConfig, ViewConfig
from soco.pretrain.model.pooling import NO_LEVEL, levels
from soco.pretrain.views.boxes import whole_view
from soco.pretrain.views.plan import largest_reduction, plan_views

FPN = (ViewConfig(size=224), ViewConfig(size=224, crop="a"), ViewConfig(size=112, crop="b"))


def plans(recipe, width, height, count=40):
    boxes = np.array([[10, 10, width - 20, height - 20], [0, 0, width / 2, height / 2]], np.float32)
    return [
        plan_views(np.random.default_rng(seed), boxes, width, height, recipe)
        for seed in range(count)
    ]


def test_an_image_without_proposals_is_one_box(tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"jitter": 0.0})
    box = np.array([[0, 0, 59, 39]], np.float32)
    pairs = plan_views(np.random.default_rng(0), box, 60, 40, recipe).pairs
    assert pairs[0].ids_1.tolist() == [1, 1, 1, 1]
    assert pairs[0].boxes_1[0].tolist() == pytest.approx([0, 0, 59 / 60, 39 / 40], abs=1 / 30)


def test_whole_views_are_compared_as_one_box_each_on_the_level_of_their_size():
    recipe = PretrainConfig(views=FPN, boxes="whole", cutout_probability=1.0)
    flipped = set()
    for plan in plans(recipe, 600, 450):
        assert (plan.views[0].crop.width, plan.views[0].crop.height) == (600, 450)
        assert all(view.crop.width < 600 or view.crop.height < 450 for view in plan.views[1:])
        assert not any(view.holes for view in plan.views)
        flipped.add(tuple(view.flipped for view in plan.views))
        for pair, other in zip(plan.pairs, plan.views[1:], strict=True):
            assert pair.ids_1.tolist() == pair.ids_v.tolist() == [1]
            for boxes, size in ((pair.boxes_1, 224), (pair.boxes_v, other.size)):
                assert (boxes * size).long().tolist() == [[0, 0, size - 1, size - 1]]
        # P5 and P4: sqrt(w h) is the view's size.
        found = [levels(pair.boxes_v, view.size, recipe.level_bounds).item()
                 for pair, view in zip(plan.pairs, plan.views[1:], strict=True)]  # fmt: skip
        assert found == [3, 2]
        assert levels(plan.pairs[0].boxes_1, 224, recipe.level_bounds).item() == 3
    assert len(flipped) > 4


def test_whole_views_do_not_depend_on_the_proposals(tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"boxes": "whole"})
    drawn = [
        plan_views(np.random.default_rng(3), np.array([box], np.float32), 200, 150, recipe)
        for box in ([0, 0, 9, 9], [50, 60, 150, 140])
    ]
    assert drawn[0].views == drawn[1].views


@pytest.mark.parametrize("size", [1, 33, 63, 64, 100, 224, 10_000])
def test_a_whole_view_is_as_large_as_the_view_in_whole_pixels(size):
    box = torch.from_numpy(whole_view(size))
    assert levels(box, size, (size,)).item() == 0
    assert size == 1 or levels(box, size, (size - 1,)).item() == NO_LEVEL


def test_views_of_one_crop_name_show_the_same_crop():
    recipe = PretrainConfig(
        views=(ViewConfig(size=64), ViewConfig(size=64, crop="a"), ViewConfig(size=32, crop="a")),
        boxes=1,
    )
    for plan in plans(recipe, 100, 80):
        assert plan.views[1].crop == plan.views[2].crop
        first, second = plan.pairs
        assert torch.equal(first.ids_v, second.ids_v) and torch.equal(first.boxes_1, second.boxes_1)
        widths = [float(pair.boxes_v[0, 2] - pair.boxes_v[0, 0]) for pair in plan.pairs]
        assert widths[0] == pytest.approx(widths[1], abs=1e-6)


def test_cut_out_squares_are_at_the_boxes_of_their_own_view():
    recipe = PretrainConfig(views=FPN, boxes=1, cutout_probability=1.0)
    flipped = set()
    for plan in plans(recipe, 600, 450):
        for view, pair in zip(plan.views[1:], plan.pairs, strict=True):
            x1, y1, x2, y2 = (pair.boxes_v[0] * view.size).tolist()
            for hole in view.holes:
                across, down = hole.left + hole.width / 2, hole.top + hole.height / 2
                at_edge = hole.left == 0 or hole.top == 0
                assert at_edge or (x1 - 1 <= across <= x2 + 1 and y1 - 1 <= down <= y2 + 1)
                flipped.add(view.flipped)
    assert flipped == {False, True}


def test_view_one_is_always_blurred_and_never_cut_out(tiny_recipe):
    for plan in plans(tiny_recipe, 200, 150):
        assert plan.views[0].colours.blur is not None
        assert plan.views[0].holes == ()
    assert any(view.holes for plan in plans(tiny_recipe, 200, 150) for view in plan.views[1:])


@pytest.mark.parametrize(
    ("size", "reductions"),
    [
        ((500, 375), {1}),
        ((800, 600), {1, 2}),
        ((2000, 1500), {4}),
        ((8000, 6000), {8}),
        ((8000, 300), {1}),
    ],
)
def test_an_image_is_reduced_as_long_as_no_view_is_enlarged(size, reductions):
    drawn = plans(PretrainConfig(views=FPN), *size)
    assert {largest_reduction(plan) for plan in drawn} == reductions
    for plan in drawn:
        reduction = largest_reduction(plan)
        for view in plan.views:
            assert reduction == 1 or view.crop.width / reduction >= view.size
            assert reduction == 1 or view.crop.height / reduction >= view.size


def test_an_eighth_is_the_largest_reduction():
    (plan,) = plans(PretrainConfig(views=FPN), 8000, 6000, count=1)
    small = dataclasses.replace(
        plan, views=tuple(dataclasses.replace(view, size=8) for view in plan.views)
    )
    assert largest_reduction(small) == 8
