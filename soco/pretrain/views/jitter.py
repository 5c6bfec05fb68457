"""Changes of a view's colours, in place, each as torchvision's function of the same name makes it
on bytes.

All take the (3, N) values of a view, a row for each colour.
"""

import numpy as np

from soco.numba_cache import Bytes, compiled

_ONE = np.float32(1)
_SIX = np.float32(6)
_TO_BYTES = np.float32(256 - 1e-3) / np.float32(255)


@compiled()
def _byte(value: np.float32) -> np.uint8:
    return np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@compiled()
def _grey(red: np.uint8, green: np.uint8, blue: np.uint8) -> np.int32:
    """The weights of torchvision's functions on tensors; PIL's have more digits."""
    return np.int32(np.float32(0.2989) * red + np.float32(0.587) * green + np.float32(0.114) * blue)


@compiled("void(u1[:, ::1], f4)")
def adjust_brightness(values: Bytes, factor: np.float32) -> None:
    """Multiply all values."""
    for colour in range(3):
        for i in range(values.shape[1]):
            values[colour, i] = _byte(np.float32(values[colour, i]) * factor)


@compiled("void(u1[:, ::1], f4)")
def adjust_contrast(values: Bytes, factor: np.float32) -> None:
    """Blend all values with the view's mean grey."""
    total = np.int64(0)
    for i in range(values.shape[1]):
        total += _grey(values[0, i], values[1, i], values[2, i])
    grey = np.float32(total / values.shape[1]) * (_ONE - factor)
    for colour in range(3):
        for i in range(values.shape[1]):
            values[colour, i] = _byte(np.float32(values[colour, i]) * factor + grey)


@compiled("void(u1[:, ::1], f4)")
def adjust_saturation(values: Bytes, factor: np.float32) -> None:
    """Blend each pixel with its grey."""
    for i in range(values.shape[1]):
        grey = np.float32(_grey(values[0, i], values[1, i], values[2, i])) * (_ONE - factor)
        values[0, i] = _byte(np.float32(values[0, i]) * factor + grey)
        values[1, i] = _byte(np.float32(values[1, i]) * factor + grey)
        values[2, i] = _byte(np.float32(values[2, i]) * factor + grey)


@compiled()
def _of_hue(place: np.float32, value: np.float32, chroma: np.float32) -> np.uint8:
    place = place - _SIX * np.float32(np.int32(place / _SIX))
    share = min(max(min(place, np.float32(4) - place), np.float32(0)), _ONE)
    return _byte((value - chroma * share) * _TO_BYTES)


@compiled("void(u1[:, ::1], f4)")
def adjust_hue(values: Bytes, turn: np.float32) -> None:
    """Turn the hue of each pixel by a share of the circle, and keep its saturation and value.

    A colour is the value less the chroma where its place on the circle is far from its own third,
    without branches, so that a processor turns several pixels at once.
    """
    for i in range(values.shape[1]):
        red, green, blue = (
            np.float32(values[0, i]),
            np.float32(values[1, i]),
            np.float32(values[2, i]),
        )
        value = max(red, green, blue)
        chroma = value - min(red, green, blue)
        divisor = chroma if chroma > 0 else _ONE
        of_red = (green - blue) / divisor
        of_green = np.float32(2) + (blue - red) / divisor
        of_blue = np.float32(4) + (red - green) / divisor
        hue = of_red if value == red else (of_green if value == green else of_blue)
        hue = hue + _SIX * turn + _SIX  # in sixths of the circle, above 0
        values[0, i] = _of_hue(hue + np.float32(5), value, chroma)
        values[1, i] = _of_hue(hue + np.float32(3), value, chroma)
        values[2, i] = _of_hue(hue + np.float32(1), value, chroma)


@compiled("void(u1[:, ::1])")
def make_grey(values: Bytes) -> None:
    """Replace each pixel by its grey."""
    for i in range(values.shape[1]):
        grey = np.uint8(_grey(values[0, i], values[1, i], values[2, i]))
        values[0, i] = grey
        values[1, i] = grey
        values[2, i] = grey


@compiled("void(u1[:, ::1])")
def solarize(values: Bytes) -> None:
    """Invert the values from 128 on."""
    for colour in range(3):
        for i in range(values.shape[1]):
            value = values[colour, i]
            values[colour, i] = np.uint8(255) - value if value >= 128 else value
