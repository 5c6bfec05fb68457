"""Compiled loops over the pixels of a view: one for each change of its colours.

Each adjustment works in place and gives what torchvision's function of the same name gives on a
uint8 tensor, to within one grey level. All take the (3, N) values of a view.
"""

import numpy as np

from soco.numba_cache import Bytes, compiled

_ONE = np.float32(1)
_SIX = np.float32(6)
# torchvision turns 0..1 into bytes by 255 + 1 - 0.001, cut off; values are in 0..255 here.
_TO_BYTES = np.float32(256 - 1e-3) / np.float32(255)


@compiled()
def _byte(value: np.float32) -> np.uint8:
    # Cut off instead of rounded, as torchvision's cast does.
    return np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@compiled()
def _grey(red: np.uint8, green: np.uint8, blue: np.uint8) -> np.int32:
    """Luma with the weights of torchvision's tensor functions (PIL's have more digits)."""
    return np.int32(np.float32(0.2989) * red + np.float32(0.587) * green + np.float32(0.114) * blue)


@compiled("void(u1[:, ::1], f4)")
def adjust_brightness(values: Bytes, factor: np.float32) -> None:
    """Multiply all values by the factor."""
    for colour in range(3):
        for i in range(values.shape[1]):
            values[colour, i] = _byte(np.float32(values[colour, i]) * factor)


@compiled("void(u1[:, ::1], f4)")
def adjust_contrast(values: Bytes, factor: np.float32) -> None:
    """Blend all values with the mean grey level of the view."""
    # Over whole grey levels, as in torchvision; a sum of integers is the same in any order.
    total = np.int64(0)
    for i in range(values.shape[1]):
        total += _grey(values[0, i], values[1, i], values[2, i])
    # factor x + (1 - factor) grey, here and for saturation.
    grey = np.float32(total / values.shape[1]) * (_ONE - factor)
    for colour in range(3):
        for i in range(values.shape[1]):
            values[colour, i] = _byte(np.float32(values[colour, i]) * factor + grey)


@compiled("void(u1[:, ::1], f4)")
def adjust_saturation(values: Bytes, factor: np.float32) -> None:
    """Blend each pixel with its own grey level."""
    for i in range(values.shape[1]):
        grey = np.float32(_grey(values[0, i], values[1, i], values[2, i])) * (_ONE - factor)
        values[0, i] = _byte(np.float32(values[0, i]) * factor + grey)
        values[1, i] = _byte(np.float32(values[1, i]) * factor + grey)
        values[2, i] = _byte(np.float32(values[2, i]) * factor + grey)


@compiled()
def _channel_of_hue(place: np.float32, value: np.float32, chroma: np.float32) -> np.uint8:
    """One channel of the HSV-to-RGB conversion; `place` is the hue in sixths, shifted for it."""
    # place mod 6, by a cast: `%` would have a branch for negative numbers.
    place = place - _SIX * np.float32(np.int32(place / _SIX))
    # V - V S max(0, min(k, 4 - k, 1)) with k = (n + hue) mod 6; n is 5, 3, 1 for red, green, blue.
    share = min(max(min(place, np.float32(4) - place), np.float32(0)), _ONE)
    return _byte((value - chroma * share) * _TO_BYTES)


@compiled("void(u1[:, ::1], f4)")
def adjust_hue(values: Bytes, turn: np.float32) -> None:
    """Rotate the hue of each pixel by a share of the circle; saturation and value stay.

    Each channel is a function of the hue without branches, so that the compiler can vectorise the
    loop over pixels (torchvision selects one of six cases for each pixel).
    """
    for i in range(values.shape[1]):
        red, green, blue = (
            np.float32(values[0, i]),
            np.float32(values[1, i]),
            np.float32(values[2, i]),
        )
        value = max(red, green, blue)
        chroma = value - min(red, green, blue)
        # A grey pixel has no hue: any will do, as its chroma of 0 removes it.
        divisor = chroma if chroma > 0 else _ONE
        of_red = (green - blue) / divisor
        of_green = np.float32(2) + (blue - red) / divisor
        of_blue = np.float32(4) + (red - green) / divisor
        hue = of_red if value == red else (of_green if value == green else of_blue)
        hue = hue + _SIX * turn + _SIX  # in sixths of the circle, kept positive
        values[0, i] = _channel_of_hue(hue + np.float32(5), value, chroma)
        values[1, i] = _channel_of_hue(hue + np.float32(3), value, chroma)
        values[2, i] = _channel_of_hue(hue + np.float32(1), value, chroma)


@compiled("void(u1[:, ::1])")
def make_grey(values: Bytes) -> None:
    """Replace each pixel by its grey level."""
    for i in range(values.shape[1]):
        grey = np.uint8(_grey(values[0, i], values[1, i], values[2, i]))
        values[0, i] = grey
        values[1, i] = grey
        values[2, i] = grey


@compiled("void(u1[:, ::1])")
def solarize(values: Bytes) -> None:
    """Invert all values of 128 and above."""
    for colour in range(3):
        for i in range(values.shape[1]):
            value = values[colour, i]
            values[colour, i] = np.uint8(255) - value if value >= 128 else value
