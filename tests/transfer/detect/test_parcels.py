import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks

from soco.transfer.detect.parcels import packed, unpacked


def record(side):
    polygons = [[np.array([0.0, 0, 5, 0, 5, 5])], [np.array([1.0, 1, 3, 1, 3, 9])]]
    instances = Instances((side, side))
    instances.gt_boxes = Boxes(torch.tensor([[0.0, 0, 5, 5], [1, 1, 3, 9]]))
    instances.gt_classes = torch.tensor([3, 1])
    instances.gt_masks = PolygonMasks(polygons)
    instances.gt_bitmasks = BitMasks(torch.rand(2, side, side) > 0.5)
    image = torch.randint(0, 256, (side, 3, side), dtype=torch.uint8).permute(1, 0, 2)
    return {"image": image, "instances": instances, "image_id": 7, "file_name": "a.png"}


@pytest.mark.parametrize(("side", "small"), [(64, True), (600, False)])
def test_a_record_arrives_as_it_was_sent(side, small):
    sent = record(side)
    parcels = packed([sent, sent])
    assert {type(each) for each in parcels} == ({bytes} if small else {dict})
    for got in unpacked(parcels):
        assert (got["image_id"], got["file_name"]) == (7, "a.png")
        assert (got["image"].dtype, got["image"].shape) == (torch.uint8, (3, side, side))
        assert torch.equal(got["image"], sent["image"])
        ours, theirs = got["instances"], sent["instances"]
        assert (ours.image_size, len(ours)) == (theirs.image_size, 2)
        assert torch.equal(ours.gt_boxes.tensor, theirs.gt_boxes.tensor)
        assert torch.equal(ours.gt_classes, theirs.gt_classes)
        assert torch.equal(ours.gt_bitmasks.tensor, theirs.gt_bitmasks.tensor)
        for one, other in zip(ours.gt_masks.polygons, theirs.gt_masks.polygons, strict=True):
            assert [part.tolist() for part in one] == [part.tolist() for part in other]


def test_what_arrives_may_be_changed():
    (got,) = unpacked(packed([record(8)]))
    got["image"][0] = 0
    got["instances"].gt_boxes.scale(2, 2)
    assert got["image"][0].sum() == 0
