"""Photometric augmentation of a view: colour jitter, grey, blur, solarize, normalisation.

The augmentations are BYOL's (Grill et al., NeurIPS 2020), which SoCo takes over. Departure: the
release uses PIL; here the loops are our own, for speed, and agree with torchvision's functions on
tensors to one grey level.
"""

import dataclasses

import cv2
import numpy as np

from soco.numba_cache import Bytes, Floats, compiled
from soco.pretrain.views import pixels

# ImageNet's.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = 0.4, 0.4, 0.2, 0.1
_JITTER_PROBABILITY, _GREY_PROBABILITY, _SOLARIZE_PROBABILITY = 0.8, 0.2, 0.2
# View 1 is always blurred and never solarized, the other views the other way round: BYOL's
# asymmetric pair of augmentations.
_BLUR_PROBABILITY_FIRST, _BLUR_PROBABILITY_OTHERS = 1.0, 0.1
_BLUR_SIGMA = (0.1, 2.0)  # pixels of the view

_ADJUST = {
    "brightness": pixels.adjust_brightness,
    "contrast": pixels.adjust_contrast,
    "saturation": pixels.adjust_saturation,
    "hue": pixels.adjust_hue,
}
# (x / 255 - mean) / std as x scale + shift: one multiplication and one addition for each value.
_SCALE = np.float32(1) / (np.float32(255) * np.array(STD, np.float32))
_SHIFT = -np.array(MEAN, np.float32) / np.array(STD, np.float32)


@dataclasses.dataclass(frozen=True)
class Colours:
    """The colour changes drawn for a view, in the order in which they are applied.

    Attributes:
        jitter: Adjustments (brightness, contrast, saturation, hue) in random order with their
            amounts: factors around 1; for hue a share of the circle around 0. Empty: no jitter.
        grey: Whether the view becomes grey.
        blur: Sigma of the Gaussian blur, in pixels of the view; None: no blur.
        solarize: Whether values of 128 and above are inverted.
    """

    jitter: tuple[tuple[str, float], ...] = ()
    grey: bool = False
    blur: float | None = None
    solarize: bool = False


def draw_colours(rng: np.random.Generator, first: bool) -> Colours:
    """Draw the colour changes of a view; view 1 (`first`) has its own blur and no solarize."""
    adjustments = _draw_jitter(rng) if rng.random() < _JITTER_PROBABILITY else ()
    grey = rng.random() < _GREY_PROBABILITY
    blurred = rng.random() < (_BLUR_PROBABILITY_FIRST if first else _BLUR_PROBABILITY_OTHERS)
    blur = rng.uniform(*_BLUR_SIGMA) if blurred else None
    return Colours(adjustments, grey, blur, not first and rng.random() < _SOLARIZE_PROBABILITY)


def recolour(view: Bytes, colours: Colours) -> Bytes:
    """Apply the colour changes.

    Args:
        view: (3, S, S) uint8, contiguous; may be changed in place.
        colours: The changes drawn for it.

    Returns:
        (3, S, S).
    """
    values = view.reshape(3, -1)
    for name, amount in colours.jitter:
        _ADJUST[name](values, amount)
    if colours.grey:
        pixels.make_grey(values)
    if colours.blur is not None:
        _blur(view, colours.blur)
    if colours.solarize:
        pixels.solarize(values)
    return view


def normalise(view: Bytes) -> Floats:
    """Scale (3, H, W) uint8 to 0..1 and normalise by ImageNet's mean and std; float32."""
    normalised = np.empty(view.shape, np.float32)
    _scale(np.ascontiguousarray(view).reshape(3, -1), normalised.reshape(3, -1))
    return normalised


def _draw_jitter(rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    amounts = (
        ("brightness", rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)),
        ("contrast", rng.uniform(1 - _CONTRAST, 1 + _CONTRAST)),
        ("saturation", rng.uniform(1 - _SATURATION, 1 + _SATURATION)),
        ("hue", rng.uniform(-_HUE, _HUE)),
    )
    return tuple(amounts[number] for number in rng.permutation(len(amounts)))


def _blur(view: Bytes, sigma: float) -> None:
    # Departure: OpenCV's Gaussian; PIL's, which the release uses, approximates one by box filters.
    # OpenCV blurs one interleaved image faster than three planes.
    # With size (0, 0) OpenCV chooses the kernel's size by sigma.
    cv2.split(cv2.GaussianBlur(cv2.merge(list(view)), (0, 0), sigma), list(view))


@compiled("void(u1[:, ::1], f4[:, ::1])")
def _scale(values: Bytes, normalised: Floats) -> None:
    for colour in range(3):
        for i in range(values.shape[1]):
            normalised[colour, i] = np.float32(values[colour, i]) * _SCALE[colour] + _SHIFT[colour]
