import pytest
import torch
from torchvision.ops import roi_align

from soco.pretrain.model.pooling import BoxSet, describe_assigned, plan_assigned
from soco.pretrain.model.roi_align import box_weights, pool

CORNERS = [
    [0.0, 0.0, 1.0, 1.0],
    [0.0, 0.0, 0.01, 0.013],
    [0.99, 0.97, 1.0, 1.0],
    [0.5, 0.0, 0.5, 1.0],
    [0.125, 0.25, 0.625, 0.75],
    [-0.02, -0.03, 0.4, 1.04],
]


def random_boxes(images, count, seed=0):
    corners = (
        torch.rand(images, count, 2, 2, generator=torch.Generator().manual_seed(seed))
        .sort(dim=2)
        .values
    )
    return corners.flatten(2)


def reference(features, boxes, side):
    height, width = features.shape[-2:]
    rois = list((boxes * torch.tensor([width, height, width, height])).unbind())
    return roi_align(features, rois, side, sampling_ratio=-1, aligned=True)


@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("size", [(56, 56), (14, 9), (7, 7), (1, 2)])
def test_matrix_products_agree_with_torchvisions_roi_align_and_its_gradient(size, side):
    boxes = torch.cat([torch.tensor(CORNERS).expand(2, -1, -1), random_boxes(2, 6)], dim=1)
    generator = torch.Generator().manual_seed(1)
    ours = torch.randn(2, 5, *size, generator=generator).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    pooled = pool(ours, *box_weights(boxes, *size, side))
    expected = reference(theirs, boxes, side)
    weight = torch.rand(expected.shape, generator=generator)
    (pooled * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.allclose(pooled, expected, atol=1e-5, rtol=0)
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


def test_pooling_in_bf16_is_as_precise_as_bf16():
    features, boxes = (
        torch.randn(2, 8, 56, 56, generator=torch.Generator().manual_seed(0)),
        random_boxes(2, 16),
    )
    exact = reference(features, boxes, 7)
    error = pool(features.bfloat16(), *box_weights(boxes, 56, 56, 7)).float() - exact
    rounded = reference(features.bfloat16().float(), boxes, 7).bfloat16().float() - exact
    assert error.square().mean().sqrt() < 2 * rounded.square().mean().sqrt()


def test_each_box_is_pooled_on_its_own_level_and_boxes_without_one_are_in_no_pair():
    generator = torch.Generator().manual_seed(2)
    maps = [
        [torch.randn(3, 4, size // s, size // s, generator=generator) for s in (1, 2)]
        for size in (16, 8)
    ]
    levels = [
        torch.tensor(of_set)
        for of_set in (
            [[0, 1], [1, -1], [-1, -1]],
            [[1, 1], [0, 0], [-1, 0]],
            [[0, 0], [1, 0], [1, 1]],
        )
    ]
    ids = torch.tensor([[1, 2]] * 3)
    # As in training, view 1 has two sets, and the sets of both views alternate.
    sets = [
        BoxSet(view, random_boxes(3, 2, seed=number), ids, levels[number])
        for number, view in enumerate((0, 1, 0))
    ]
    calls = []

    def describe(rois):
        calls.append(len(rois))
        return rois.flatten(1)

    plan = plan_assigned(sets, [[tuple(m.shape[-2:]) for m in of_view] for of_view in maps], 7)
    vectors = describe_assigned(maps, plan, describe)
    assert calls == [18]  # all boxes, whatever their levels
    for box_set, of_set in zip(sets, vectors, strict=True):
        assert torch.equal(of_set.ids, ids * (box_set.levels >= 0))
        on_each = torch.stack(
            [reference(m, box_set.boxes, 7).flatten(1).view(3, 2, -1) for m in maps[box_set.view]]
        )
        for image, box in torch.cartesian_prod(torch.arange(3), torch.arange(2)).tolist():
            level = box_set.levels[image, box]  # -1, no level, is the coarsest map
            expected = on_each[level, image, box]
            assert torch.allclose(of_set.values[image, box], expected, atol=1e-5)


def test_no_size_depends_on_the_boxes_and_every_map_has_a_gradient():
    maps = [[torch.randn(2, 4, s, s, requires_grad=True) for s in (8, 4)]]
    sizes = [[tuple(m.shape[-2:]) for m in maps[0]]]
    shapes = set()
    for level in (0, 1, -1):
        box_set = BoxSet(0, random_boxes(2, 3), torch.ones(2, 3).long(), torch.full((2, 3), level))
        plan = plan_assigned([box_set], sizes, 7)
        (vectors,) = describe_assigned(maps, plan, lambda rois: rois.flatten(1))
        shapes.add(vectors.values.shape)
        vectors.values.sum().backward()
    assert shapes == {(2, 3, 4 * 49)}
    assert all(m.grad is not None for m in maps[0])
