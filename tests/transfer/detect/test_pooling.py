import pytest
import torch
from detectron2.layers import ROIAlign
from detectron2.modeling.poolers import ROIPooler

from soco.transfer.detect.pooling import SmallMapAlign, pool_small_maps


@pytest.fixture
def boxes():
    """Boxes that reach beyond the map, have whole sides or none; image 1 has no box."""
    random = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 2, generator=random) * 110 - 10
    sides = torch.rand(40, 2, generator=random) * 60
    sides[::4] = sides[::4].round()
    sides[3] = 0
    corners[::8] = corners[::8].round()
    images = torch.arange(40) // 20 * 2
    return torch.cat([images[:, None], corners, corners + sides], 1)


@pytest.mark.parametrize("size", [(32, 24), (7, 5)])
@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_pooled_boxes_are_detectron2s_and_gradients_differ_by_rounding(boxes, size, side, memory):
    random = torch.Generator().manual_seed(1)
    features = torch.randn(4, 6, *size, generator=random).to(memory_format=memory).requires_grad_()
    keys = ((side, side), size[0] / 128, 0, True)
    theirs, ours = ROIAlign(*keys)(features, boxes), SmallMapAlign(*keys)(features, boxes)
    assert torch.equal(ours, theirs)
    gradient = torch.randn(theirs.shape, generator=random)
    expected, found = (torch.autograd.grad(way, features, gradient)[0] for way in (theirs, ours))
    assert expected[0].abs().max() > 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_large_maps_no_boxes_and_no_gradient_are_detectron2s(boxes):
    keys = ((7, 7), 1.0, 0, True)
    for shape, rois in (((4, 2, 65, 64), boxes), ((4, 2, 9, 9), boxes[:0])):
        features = torch.rand(shape, requires_grad=True)
        pooled = SmallMapAlign(*keys)(features, rois)
        assert "_Align" not in pooled.grad_fn.name()
        assert torch.equal(pooled, ROIAlign(*keys)(features, rois))
    assert not SmallMapAlign(*keys)(torch.rand(4, 2, 9, 9), boxes).requires_grad


def test_only_the_pooling_that_the_products_compute_is_replaced():
    poolers = torch.nn.ModuleList(
        ROIPooler(7, (0.25, 0.125), sampling, kind)
        for sampling, kind in ((0, "ROIAlignV2"), (2, "ROIAlignV2"), (0, "ROIAlign"))
    )
    pool_small_maps(poolers)
    replaced = [{type(each) for each in pooler.level_poolers} for pooler in poolers]
    assert replaced == [{SmallMapAlign}, {ROIAlign}, {ROIAlign}]


def test_boxes_are_not_rounded_to_the_type_of_the_features(boxes):
    align = SmallMapAlign((7, 7), 0.25, 0, True)
    features = torch.rand(4, 2, 32, 32)
    half = features.bfloat16().requires_grad_()
    pooled = align(half, boxes)
    assert pooled.dtype == torch.bfloat16
    torch.testing.assert_close(pooled, align(half.float(), boxes).bfloat16(), rtol=0, atol=0)
    pooled.sum().backward()
    assert half.grad.dtype == torch.bfloat16
