"""The models whose numbers the authors' program printed: weights, batch and recipe of each."""

import zlib

import numpy as np
import torch

from soco.config import DetectorConfig, PretrainConfig, ViewConfig
from soco.pretrain.model import build_model
from soco.pretrain.views.batch import Batch, Pair

CROPS = {
    "SoCo_FPN": [None, "a", "b"],
    "SoCo_FPN_Star": [None, "a", "b", "a"],
    "SoCo_C4": [None, "a"],
}


def recipe_of(name, sizes, pooling):
    views = tuple(
        ViewConfig(size=size, crop=crop) for size, crop in zip(sizes, CROPS[name], strict=True)
    )
    return PretrainConfig(
        architecture="c4" if name == "SoCo_C4" else "fpn", views=views, pooling=pooling
    )


def golden_weight(name, shape):
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("running_mean"):
        return 0.1 * z
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(z)
    if len(shape) == 1:
        return 1 + 0.1 * z if name.endswith(".weight") else 0.1 * z
    return z / np.sqrt(np.prod(shape[1:]))


def golden_model(content, name, pooling):
    """Make the model of a name with the golden weights; `content` is tests/golden/model.json."""
    shapes = content["models"][name]["state_dict"]
    model = build_model(
        recipe_of(name, content["inputs"]["view_sizes"][name], pooling), DetectorConfig(), seed=0
    )
    assert {n: list(t.shape) for n, t in model.state_dict().items()} == shapes
    weights = {
        n: torch.from_numpy(golden_weight(n, s))
        for n, s in shapes.items()
        if "num_batches" not in n
    }
    model.load_state_dict(weights, strict=False)
    return model


def batch_of(content, name):
    inputs = content["inputs"]
    boxes, sizes = inputs["boxes x1,y1,x2,y2 in 0..1 and id"], inputs["view_sizes"][name]
    views = tuple(
        torch.from_numpy(
            np.random.default_rng(content["seed"] * 100 + n)
            .standard_normal((2, 3, size, size))
            .astype(np.float32)
        )
        for n, size in enumerate(sizes)
    )
    pairs = []
    for view in range(2, len(sizes) + 1):
        first = torch.tensor(boxes[f"1_for_{view}"])
        other = torch.tensor(
            inputs["SoCo_C4 boxes of view 2"] if name == "SoCo_C4" else boxes[str(view)]
        )
        pairs.append(
            Pair(first[..., :4], first[..., 4].long(), other[..., :4], other[..., 4].long())
        )
    return Batch(views, tuple(pairs), torch.arange(2))
