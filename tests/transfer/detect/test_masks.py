import numpy as np
import pycocotools.mask as mask_tools
import pytest
import torch
from detectron2.layers import paste_masks_in_image

from soco.transfer.detect import masks
from soco.transfer.detect.masks import encode_masks, paste_masks


@pytest.fixture
def patches():
    random = torch.Generator().manual_seed(0)
    rough = torch.rand(60, 1, 5, 5, generator=random)
    smooth = torch.nn.functional.interpolate(rough, size=(28, 28), mode="bilinear")[:, 0]
    smooth[0], smooth[1] = 1, 0
    return smooth


@pytest.fixture
def boxes():
    """Boxes of all sizes inside an image of 90 x 120, some of them all of it."""
    random = torch.Generator().manual_seed(1)
    corners = torch.rand(60, 2, 2, generator=random).sort(1).values * torch.tensor([120, 90])
    corners[:3, 0], corners[:3, 1] = 0, torch.tensor([120.0, 90.0])
    corners[5, 1] = corners[5, 0] + 0.3
    return corners.flatten(1)


@pytest.mark.parametrize("chunk", [masks._CHUNK, 7 * 90 * 120])
def test_masks_of_small_images_are_pasted_as_by_detectron2(patches, boxes, chunk, monkeypatch):
    monkeypatch.setattr(masks, "_CHUNK", chunk)
    ours = paste_masks(patches, boxes, (90, 120))
    theirs = paste_masks_in_image(patches, boxes, (90, 120))
    assert theirs.sum() > 10_000
    assert (ours.dtype, ours.shape) == (torch.bool, (60, 90, 120))
    assert torch.equal(ours, theirs)


def test_large_images_and_no_masks(patches, boxes):
    size = (500, 600)
    assert torch.equal(
        paste_masks(patches, boxes, size), paste_masks_in_image(patches, boxes, size)
    )
    assert paste_masks(patches[:0], boxes[:0], (90, 120)).shape == (0, 90, 120)


def test_masks_are_encoded_as_one_by_one(patches, boxes):
    pasted = paste_masks(patches, boxes, (90, 120))
    single = [
        mask_tools.encode(np.asfortranarray(mask.numpy().astype(np.uint8))) for mask in pasted
    ]
    assert encode_masks(pasted) == [
        {"size": [90, 120], "counts": each["counts"].decode()} for each in single
    ]
    assert encode_masks(pasted[:0]) == []
