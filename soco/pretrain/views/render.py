"""Render planned views: crop, resize, flip, colours, normalisation, cut-out."""

import numpy as np
import torch
from torch import Tensor

from soco.config import PretrainConfig
from soco.numba_cache import Bytes
from soco.pretrain.views.batch import Pair
from soco.pretrain.views.colours import normalise, recolour
from soco.pretrain.views.plan import Plan, ViewPlan, plan_views
from soco.pretrain.views.resize import resize
from soco.proposals.boxes import Boxes


def render(plan: Plan, image: Bytes, reduction: int = 1) -> tuple[Tensor, ...]:
    """Render the views of a plan.

    Args:
        plan: What was drawn.
        image: (H, W, 3) uint8; the plan's image, at full or at reduced size.
        reduction: The factor by which the image is reduced (sides rounded up). The edges of crops
            are divided by it, and may then be inside pixels.

    Returns:
        (3, S, S) float32 for each view.
    """
    return tuple(torch.from_numpy(_render_view(view, image, reduction)) for view in plan.views)


def make_views(
    rng: np.random.Generator, image: Bytes, boxes: Boxes, settings: PretrainConfig
) -> tuple[tuple[Tensor, ...], tuple[Pair, ...]]:
    """Plan and render the views of one image.

    Args:
        rng: The random generator of all draws.
        image: (H, W, 3) uint8.
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image; at least one.
        settings: The recipe.

    Returns:
        (3, S, S) float32 for each view, and the boxes of each pair of views.
    """
    height, width = image.shape[:2]
    plan = plan_views(rng, boxes, width, height, settings)
    return render(plan, image), plan.pairs


def _render_view(view: ViewPlan, image: Bytes, reduction: int) -> np.ndarray:
    crop = view.crop
    edges = (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
    # Not rounded: a rounded crop would shift the image against its boxes.
    left, top, right, bottom = (edge / reduction for edge in edges)
    # Colours change after resizing, on the few pixels of the view, as in BYOL.
    pixels = normalise(
        recolour(resize(image, (left, top, right, bottom), view.size, view.flipped), view.colours)
    )
    # After normalisation, where 0 is ImageNet's mean colour.
    for hole in view.holes:
        pixels[:, hole.top : hole.top + hole.height, hole.left : hole.left + hole.width] = 0
    return pixels
