import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from soco.data import decode_reduced, decode_rgb
from soco.pretrain.views import make_views, plan_views, render
from soco.pretrain.views.colours import Colours, normalise
from soco.pretrain.views.crops import Crop
from soco.pretrain.views.plan import largest_reduction


@pytest.fixture
def plain(tiny_recipe):
    """Plan views without colour changes."""
    recipe = tiny_recipe.model_copy(update={"jitter": 0.0, "cutout_probability": 0.0, "boxes": 1})

    def plan(seed, box, width, height):
        drawn = plan_views(np.random.default_rng(seed), box, width, height, recipe)
        views = tuple(dataclasses.replace(view, colours=Colours()) for view in drawn.views)
        return dataclasses.replace(drawn, views=views)

    return plan


def jpeg(image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=100, subsampling=0, **options)
    return stream.getvalue()


def check_boxes_are_white(plan, views, tolerance):
    """The white pixels of a view are those of its box, flipped or not."""
    pairs = plan.pairs
    for view, boxes in [
        (views[0], pairs[0].boxes_1),
        (views[1], pairs[0].boxes_v),
        (views[2], pairs[1].boxes_v),
    ]:
        rows, columns = torch.nonzero(view[0] > 0, as_tuple=True)
        white = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert (boxes[0] * view.shape[-1]).tolist() == pytest.approx(
            [int(edge) for edge in white], abs=tolerance
        )


@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_an_image_of_a_few_pixels_gives_views(tiny_recipe, size):
    boxes = np.array([[0, 0, size[1] - 1, size[0] - 1]], np.float32)
    views, _ = make_views(
        np.random.default_rng(0), np.zeros((*size, 3), np.uint8), boxes, tiny_recipe
    )
    assert [view.shape for view in views] == [(3, 64, 64), (3, 64, 64), (3, 32, 32)]


def test_a_box_marks_the_same_pixels_in_every_view(plain):
    """Paint a box white on black."""
    image = np.zeros((160, 200, 3), np.uint8)
    image[40:100, 60:140] = 255
    box = np.array([[60, 40, 139, 99]], np.float32)
    for seed in range(12):
        plan = plain(seed, box, 200, 160)
        check_boxes_are_white(plan, render(plan, image), 1.5)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_box_marks_the_same_pixels_in_views_of_a_reduced_image(plain, orientation):
    """The same for a JPEG decoded at reduced size.

    The sides of those with an EXIF orientation are divisible by 4: others are decoded whole.
    """
    width, height = (1000, 800) if orientation > 1 else (1003, 801)
    image = np.zeros((height, width, 3), np.uint8)
    image[203:505, 298:701] = 255
    box = np.array([[298, 203, 700, 504]], np.float32)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {1: image, 3: image[::-1, ::-1], 6: np.rot90(image)}[orientation]
    data = jpeg(np.ascontiguousarray(stored), exif=exif)
    reductions = set()
    for seed in range(12):
        plan = plain(seed, box, width, height)
        decoded = decode_reduced(data, largest_reduction(plan))
        assert decoded.size == (width, height)
        reductions.add(decoded.reduction)
        check_boxes_are_white(plan, render(plan, decoded.rgb, decoded.reduction), 1.5)
    assert max(reductions) >= 4


def test_views_of_a_reduced_image_are_not_shifted(plain, photograph):
    """Views from full and reduced size differ least without a shift of half a view pixel."""
    rgb = np.asarray(
        Image.fromarray(photograph("coffee_half")).resize((1203, 801), Image.Resampling.BICUBIC)
    )
    data = jpeg(rgb)
    plan = plain(3, np.array([[100, 100, 1100, 700]], np.float32), 1203, 801)
    decoded = decode_reduced(data, 8)
    whole = render(plan, decode_rgb(data))
    for view, exact, reduced in zip(plan.views, whole, render(plan, decoded.rgb, 8), strict=True):
        difference = float((exact - reduced).abs().mean())
        for shift in (-view.crop.width / view.size / 2, view.crop.width / view.size / 2):
            crop = dataclasses.replace(view.crop, left=view.crop.left + shift)
            if crop.left < 0 or crop.left + crop.width > 1203:
                continue
            moved = dataclasses.replace(plan, views=(dataclasses.replace(view, crop=crop),))
            assert difference < 0.6 * float((exact - render(moved, decoded.rgb, 8)[0]).abs().mean())


def test_cut_out_pixels_are_zero_after_normalisation_and_no_others_change(plain, photograph):
    rgb = photograph("coffee_half")[:150, :200]
    plan = plain(0, np.array([[10, 10, 90, 90]], np.float32), 200, 150)
    hole = Crop(top=3, left=50, height=9, width=14)
    untouched = render(plan, rgb)[1]
    cut = render(
        dataclasses.replace(plan, views=(dataclasses.replace(plan.views[1], holes=(hole,)),)), rgb
    )[0]
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[3:12, 50:64] = True
    assert (cut[:, inside] == 0).all()
    assert torch.equal(cut[:, ~inside], untouched[:, ~inside])
    assert (untouched[:, inside] != 0).any()
    assert normalise(np.zeros((3, 1, 1), np.uint8)).max() < -1  # 0 is not black


def test_render_does_not_change_the_image(plain, photograph):
    rgb = photograph("coffee_half")[:150, :200].copy()
    before = rgb.copy()
    recipe_plan = plain(0, np.array([[10, 10, 90, 90]], np.float32), 200, 150)
    jittered = tuple(
        dataclasses.replace(view, colours=Colours((("hue", 0.1),), True, 1.0, True))
        for view in recipe_plan.views
    )
    render(dataclasses.replace(recipe_plan, views=jittered), rgb)
    assert np.array_equal(rgb, before)
