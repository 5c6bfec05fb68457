"""What is done to a view's colours: jitter, grey, blur, solarize, normalisation; and the cut-out squares."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from soco.boxes import Boxes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = 0.4, 0.4, 0.2, 0.1
_JITTER_PROBABILITY, _GREY_PROBABILITY, _SOLARIZE_PROBABILITY = 0.8, 0.2, 0.2
_BLUR_PROBABILITY_FIRST, _BLUR_PROBABILITY_OTHERS = 1.0, 0.1
_BLUR_SIGMA = (0.1, 2.0)
_CUTOUT_SHARE = (0.1, 0.3)


def recolour(rng: np.random.Generator, picture: Tensor, first: bool) -> Tensor:
    """Change a view's colours by chance, as BYOL does: strong blur in the first view, solarize in the others.

    Args:
        rng: Source of chance.
        picture: (3, S, S) uint8.
        first: Whether this is view 1.

    Returns:
        (3, S, S) uint8.
    """
    if rng.random() < _JITTER_PROBABILITY:
        picture = _jitter_colours(rng, picture)
    if rng.random() < _GREY_PROBABILITY:
        picture = functional.rgb_to_grayscale(picture, num_output_channels=3)
    if rng.random() < (_BLUR_PROBABILITY_FIRST if first else _BLUR_PROBABILITY_OTHERS):
        picture = _blur(picture, rng.uniform(*_BLUR_SIGMA))
    if not first and rng.random() < _SOLARIZE_PROBABILITY:
        picture = functional.solarize(picture, threshold=128)
    return picture


def normalise(picture: Tensor) -> Tensor:
    """Scale (3, S, S) uint8 to 0..1, then by ImageNet's mean and deviation; float32."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (picture.float() / 255 - mean) / std


def cut_out(rng: np.random.Generator, picture: Tensor, boxes: Boxes, probability: float) -> Tensor:
    """Set a square of 0.1 to 0.3 of a box's area, around a point of the box, to 0; for each box by chance.

    Args:
        rng: Source of chance.
        picture: (3, S, S) float32, normalised; changed in place and returned.
        boxes: (N, 4) in 0..1 of the view.
        probability: Chance for each box.
    """
    size = picture.shape[-1]
    for x1, y1, x2, y2 in boxes * size:
        if rng.random() >= probability:
            continue
        half = math.sqrt(max(0.0, (x2 - x1) * (y2 - y1)) * rng.uniform(*_CUTOUT_SHARE)) / 2
        x, y = rng.uniform(x1, x2), rng.uniform(y1, y2)
        left, top = max(0, round(x - half)), max(0, round(y - half))
        picture[:, top : max(top, round(y + half)), left : max(left, round(x + half))] = 0
    return picture


def _jitter_colours(rng: np.random.Generator, picture: Tensor) -> Tensor:
    changes = [
        (functional.adjust_brightness, rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)),
        (functional.adjust_contrast, rng.uniform(1 - _CONTRAST, 1 + _CONTRAST)),
        (functional.adjust_saturation, rng.uniform(1 - _SATURATION, 1 + _SATURATION)),
        (functional.adjust_hue, rng.uniform(-_HUE, _HUE)),
    ]
    for number in rng.permutation(len(changes)):
        change, amount = changes[number]
        picture = change(picture, amount)
    return picture


def _blur(picture: Tensor, sigma: float) -> Tensor:
    pixels: npt.NDArray[np.uint8] = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    return torch.from_numpy(cv2.GaussianBlur(pixels, (0, 0), sigma)).permute(2, 0, 1)
