"""Boxes, masks and words at and beyond the edges of images of every shape.

Nothing that is drawn can fail.
"""

import base64
import dataclasses
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from soco.pretrain.views import ViewDataset
from soco.pretrain.views.crops import Crop
from soco.report.drawing.canvas import Frame, font
from soco.report.drawing.marks import COLOURS, Mark, draw_marks
from soco.report.drawing.samples import draw_crops
from soco.report.show.proposals import compose as compose_proposals
from soco.report.show.samples import samples_of
from soco.report.show.views import compose

# Height and width.
SHAPES = [(1, 1), (1, 40), (40, 1), (2, 3), (32, 32), (20, 3000), (3000, 20), (480, 640)]
HUGE = (1e12, 1e308, math.inf, 10**400)


def decoded(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))).astype(int)


def random_boxes(shape, count, seed, odd=True):
    """Slivers, boxes at and beyond every edge, points, reversed ones.

    With `odd` some without end or number.
    """
    rng = np.random.default_rng(seed)
    far = rng.uniform(-2, 3, (count, 4))
    near = rng.choice([0, 1, 1 - 1e-3, 1 - 1e-7, 1e-7, 0.5, -1e-7, 1 + 1e-7], (count, 4))
    boxes = np.where(rng.random((count, 4)) < 0.5, far, near) * [
        shape[1],
        shape[0],
        shape[1],
        shape[0],
    ]
    points = rng.random(count) < 0.2
    boxes[points, 2:] = boxes[points, :2] + rng.choice([0, 1e-9, 0.3], (int(points.sum()), 1))
    given = boxes.tolist()
    for box in given[:: 7 if odd else count]:
        ends = rng.integers(0, 4), rng.integers(0, len(HUGE) + 1)
        if odd:
            box[ends[0]] = (*HUGE, math.nan)[ends[1]] * int(rng.choice([-1, 1]))
    return [tuple(box) for box in given]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_box_has_its_sides_in_order_and_within_the_drawing(shape):
    frame = Frame.fit(shape, 300, 1200)
    assert 1 <= frame.size[0] <= 300 and 1 <= frame.size[1] <= 1200
    for box in random_boxes(shape, 2000, seed=1):
        place = frame.place(box)
        if any(side != side for side in box):
            assert place is None
            continue
        left, top, right, bottom = place
        assert 0 <= left <= right <= frame.size[0] - 1 and 0 <= top <= bottom <= frame.size[1] - 1


def test_a_box_within_the_image_keeps_its_place_and_reversed_sides_are_swapped():
    frame = Frame.fit((50, 100), 200, 800)
    assert frame == Frame((200, 100), (2.0, 2.0))
    assert (
        frame.place((10, 5, 30.5, 45)) == frame.place((30.5, 45, 10, 5)) == (20.0, 10.0, 61.0, 90.0)
    )
    assert frame.place((-7, 20, 120, 20)) == (0.0, 40.0, 199.0, 40.0)


def test_a_sliver_in_the_last_pixel_is_drawn_there():
    """The report of a healthy pretraining once failed on such a box of a view."""
    grey = np.full((320, 320, 3), 128, np.uint8)
    drawn = decoded(
        draw_marks(grey, [Mark((319.4, 100.0, 319.9, 200.0), "#ff0000", "7 P2")], 320, 16)[0]
    )
    assert drawn[150, 319, 0] > 190 and abs(drawn[50, 150] - 128).max() < 6


@pytest.mark.parametrize("shape", SHAPES)
def test_any_boxes_words_and_masks_can_be_drawn(shape):
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    boxes = random_boxes(shape, 120, seed=3)
    masks = [None, np.ones(shape, bool), np.zeros(shape, bool), rng.random(shape) < 0.5]
    marks = [
        Mark(
            box,
            COLOURS[number % 12],
            ("", "word", "a long word " * 30)[number % 3],
            masks[number % 40 % 4],
        )
        for number, box in enumerate(boxes)
    ]
    uri, size = draw_marks(rgb, marks, 320, 16)
    assert decoded(uri).shape == (size[1], size[0], 3)
    assert size[0] <= 320 and size[1] <= 4 * 320


def test_a_word_too_long_for_the_drawing_is_shortened_into_it(monkeypatch):
    words = []
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, place, text, **_: words.append(text)
    )
    grey = np.full((100, 100, 3), 128, np.uint8)
    draw_marks(grey, [Mark((40, 40, 60, 60), "#ff0000", "W" * 5000 + " 0.9")], 200, 16)
    (word,) = words
    assert (
        150 < font(16).getlength(word) <= 196 and word.startswith("WW") and word.endswith("W 0.9")
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_soco_show_draws_any_regions_and_proposals(shape):
    rgb = np.full((*shape, 3), 128, np.uint8)
    boxes = np.array(random_boxes(shape, 60, seed=4, odd=False))
    rects = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(np.int32)
    drawn = compose_proposals(rgb, rects, rects[:0], "no proposals", 128)
    assert drawn.size == (2 * Frame.fit(shape, 128, 128).size[0] + 36, drawn.height)


@pytest.fixture
def sample(small_store, tiny_recipe):
    (first,) = samples_of(
        ViewDataset(*small_store, tiny_recipe, seed=3), images=1, epoch=0, count=1
    )
    return first


def test_a_sample_with_any_boxes_in_its_views_is_drawn(sample, tiny_recipe):
    for seed in range(12):
        boxes = torch.tensor(
            [[min(max(side, -1e30), 1e30) for side in box] for box in random_boxes((1, 1), 8, seed)]
        )
        ids = torch.arange(1, 5)
        pair = dataclasses.replace(
            sample.batch.pairs[0], boxes_1=boxes[:4], boxes_v=boxes[4:], ids_1=ids, ids_v=ids
        )
        batch = dataclasses.replace(sample.batch, pairs=(pair, pair))
        own = np.array(random_boxes(sample.rgb.shape, 9, seed, odd=False), np.float32)
        crop = Crop(*(int(side) for side in own[0].clip(-300, 300)))
        plans = tuple(dataclasses.replace(view, crop=crop) for view in sample.plans)
        odd = dataclasses.replace(sample, batch=batch, boxes=own, plans=plans)
        assert compose(odd, tiny_recipe, 64).size == compose(sample, tiny_recipe, 64).size


def test_the_outline_of_a_crop_stays_in_the_drawing(sample):
    whole = dataclasses.replace(
        sample.plans[1], crop=Crop(0, 0, sample.rgb.shape[0] + 5, sample.rgb.shape[1] + 5)
    )
    image = Image.new("RGB", (100, 75))
    frame = Frame.of(sample.rgb.shape, image.size)
    odd = dataclasses.replace(sample, plans=(sample.plans[0], whole))
    assert draw_crops(ImageDraw.Draw(image), odd, frame) == [(0.0, 0.0, 99.0, 74.0)]
    assert np.array(image)[:, -1].any() and np.array(image)[-1].any()
