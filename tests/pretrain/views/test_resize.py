import numpy as np
import pytest
from PIL import Image

from soco.pretrain.views.resize import resize


@pytest.fixture(scope="module")
def rgb(photograph):
    return photograph("coffee_half")[:190, :260]


@pytest.mark.parametrize(
    ("part", "size"),
    [
        ((0, 0, 260, 190), 64),
        ((13, 7, 201, 180), 96),
        ((100, 50, 140, 100), 112),
        ((0, 0, 260, 190), 7),
        ((5, 6, 6, 7), 16),
        ((20, 30, 84, 94), 64),
    ],
)
def test_pixels_agree_with_pil(rgb, part, size):
    """Smaller and larger, for parts that end at pixels: crop, then PIL's antialiased bilinear."""
    theirs = np.asarray(
        Image.fromarray(rgb).crop(part).resize((size, size), Image.Resampling.BILINEAR)
    )
    ours = resize(rgb, part, size, flipped=False).transpose(1, 2, 0)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.array_equal(resize(rgb, part, size, flipped=True).transpose(1, 2, 0), ours[:, ::-1])


def test_a_part_may_end_inside_a_pixel(rgb):
    """On a ramp of one level a pixel, an output is the position of its centre, up to rounding."""
    ramp = np.repeat(np.arange(250, dtype=np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    part = (20.3, 10.6, 171.9, 150.2)
    for image, low, high in (
        (ramp, part[0], part[2]),
        (ramp[:200, :200].swapaxes(0, 1), part[1], part[3]),
    ):
        view = resize(np.ascontiguousarray(image), part, 40, flipped=False)[0].astype(float)
        line = view[20] if image is ramp else view[:, 20]
        centres = low + (np.arange(40) + 0.5) * (high - low) / 40 - 0.5
        assert line[2:-2] == pytest.approx(centres[2:-2], abs=1.05)
        assert np.mean(line[2:-2] - centres[2:-2]) == pytest.approx(0, abs=0.15)


def test_pixels_outside_the_part_have_no_influence():
    image = np.full((60, 80, 3), 255, np.uint8)
    image[10:50, 20:60] = 0
    assert resize(image, (20.4, 10.4, 59.6, 49.6), 8, flipped=False).max() == 0


def test_white_stays_white():
    assert (
        resize(
            np.full((999, 1777, 3), 255, np.uint8), (0.1, 0.2, 1776.9, 998.7), 5, flipped=False
        ).min()
        == 255
    )
