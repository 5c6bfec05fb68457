import numpy as np
import pytest
import torch

from soco.pretrain.model.pooling import NO_LEVEL, levels, pixel_boxes
from soco.pretrain.views.boxes import clip_to_crop, overlapping
from soco.pretrain.views.crops import Crop, whole


def check_view(expected, seen, size, bounds):
    assert seen == pytest.approx(np.array(expected["boxes_xyxy01_id"])[:, :4], abs=1e-6)
    boxes = torch.from_numpy(seen)
    assert pixel_boxes(boxes, size).tolist() == [box[:4] for box in expected["pixel_boxes"]]
    ours = levels(boxes, size, bounds)
    assert ours.tolist() == [NO_LEVEL if level is None else level for level in expected["level"]]
    return ours


def test_boxes_levels_and_pairs_are_those_of_the_release(golden):
    content = golden("views")
    for case in content["cases"]:
        boxes = np.array(case["proposals_xyxy"], np.float32)
        crop = Crop(*case["crop_top_left_height_width"])
        chosen = np.flatnonzero(overlapping(boxes, crop))
        assert (chosen + 1).tolist() == case["overlapping_proposal_ids"]
        crops = (whole(case["width"], case["height"]), crop)
        sizes = case["view_size"]
        first, second = (
            check_view(
                case[f"view{n + 1}"],
                clip_to_crop(boxes[chosen], crops[n]),
                sizes[n],
                content["level_upper_bounds_px"],
            )
            for n in range(2)
        )
        pairs = [
            [int(first[n]) * len(chosen) + n, int(second[n]) * len(chosen) + n]
            for n in range(len(chosen))
            if first[n] != NO_LEVEL and second[n] != NO_LEVEL
        ]
        assert sorted(pairs) == sorted(case["correspondence_flat_level_major_pairs"])
