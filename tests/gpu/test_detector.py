"""Fine-tuning and evaluation on a GPU."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from small_settings import DETECTOR, SIDE, small_finetuning

from soco.config import DatasetConfig
from soco.transfer.detect import EvaluateJob, FinetuneJob, evaluate, finetune

pytestmark = pytest.mark.gpu
SETTINGS = small_finetuning("squares", iterations=4, workers=1, checkpoint_iterations=2)


@pytest.fixture
def squares(tmp_path):
    """Six images with a bright square each, in COCO format."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for key in range(1, 7):
        image = Image.fromarray(rng.integers(0, 80, (SIDE, SIDE, 3), dtype=np.uint8))
        (x, y), side = rng.integers(2, 30, 2).tolist(), int(rng.integers(12, 30))
        ImageDraw.Draw(image).rectangle([x, y, x + side, y + side], fill=(250, 90, 200))
        image.save(tmp_path / f"{key}.png")
        images.append({"id": key, "file_name": f"{key}.png", "width": SIDE, "height": SIDE})
        corners = [x, y, x + side, y, x + side, y + side, x, y + side]
        annotations.append(
            {
                "id": key,
                "image_id": key,
                "category_id": 1,
                "bbox": [x, y, side, side],
                "area": side * side,
                "iscrowd": 0,
                "segmentation": [corners],
            }
        )
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": 1, "name": "square"}]
    (tmp_path / "squares.json").write_text(json.dumps(content))
    split = {"images": str(tmp_path), "annotations": str(tmp_path / "squares.json")}
    return DatasetConfig(format="coco", train=split, val=split)


def test_a_detector_is_trained_and_scored(device, squares, tmp_path):
    shared = {
        "task": "squares",
        "settings": SETTINGS,
        "detector": DETECTOR,
        "dataset": squares,
        "seed": 1,
    }
    trained = tmp_path / "trained"
    finetune(FinetuneJob(**shared, folder=trained, checkpoints=tmp_path / "checkpoints"))
    scored = EvaluateJob(
        **shared, initialisation="scratch", trained=trained, folder=tmp_path / "evaluated"
    )
    result = evaluate(scored)
    if device.type == "cuda":
        assert torch.cuda.max_memory_allocated() > 1e6
        assert result["protocol"]["norm"] == "SyncBN over 1 process"
    assert (result["images"], result["instances"]) == (6, 6)
    assert not math.isnan(result["box"]["AP"]) and not math.isnan(result["mask"]["AP"])
    weights = torch.load(trained / "weights.pth", weights_only=True)["model"]
    assert all(np.isfinite(np.asarray(value, dtype=np.float64)).all() for value in weights.values())
