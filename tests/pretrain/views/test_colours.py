import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from soco.pretrain.views.colours import Colours, draw_colours, normalise, recolour

DRAWS = 2000
ADJUSTMENTS = ("brightness", "contrast", "saturation", "hue")


@pytest.fixture(scope="module")
def image(photograph):
    """(3, 96, 128) uint8: a photograph, and noise below it."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 128, 3), dtype=np.uint8)
    noise[:8] //= 16
    shown = np.concatenate([photograph("coffee_half")[:64, :128], noise])
    return np.ascontiguousarray(shown.transpose(2, 0, 1))


def differences_of(ours, theirs):
    """Largest and mean difference, in grey levels."""
    differences = np.abs(ours.astype(int) - np.asarray(theirs).astype(int))
    return differences.max(), differences.mean()


def shares(first):
    """The share of draws with each change."""
    rng = np.random.default_rng(0)
    drawn = [draw_colours(rng, first) for _ in range(DRAWS)]
    return {
        "jitter": np.mean([bool(colours.jitter) for colours in drawn]),
        "grey": np.mean([colours.grey for colours in drawn]),
        "blur": np.mean([colours.blur is not None for colours in drawn]),
        "solarize": np.mean([colours.solarize for colours in drawn]),
    }


def test_changes_of_view_one():
    assert shares(first=True) == pytest.approx(
        {"jitter": 0.8, "grey": 0.2, "blur": 1.0, "solarize": 0.0}, abs=0.03
    )


def test_changes_of_the_other_views():
    assert shares(first=False) == pytest.approx(
        {"jitter": 0.8, "grey": 0.2, "blur": 0.1, "solarize": 0.2}, abs=0.03
    )


def test_jitter_has_every_order_and_the_amounts_of_the_release():
    rng = np.random.default_rng(0)
    drawn = [
        colours.jitter
        for colours in (draw_colours(rng, first=True) for _ in range(DRAWS))
        if colours.jitter
    ]
    assert len({tuple(name for name, _ in jitter) for jitter in drawn}) == 24
    for name, low, high in [
        ("brightness", 0.6, 1.4),
        ("contrast", 0.6, 1.4),
        ("saturation", 0.8, 1.2),
        ("hue", -0.1, 0.1),
    ]:
        amounts = [dict(jitter)[name] for jitter in drawn]
        assert (min(amounts), max(amounts)) == pytest.approx((low, high), abs=0.01)
        assert np.mean(amounts) == pytest.approx((low + high) / 2, abs=0.02)


def test_blur_has_the_sigmas_of_the_release():
    rng = np.random.default_rng(0)
    deviations = [draw_colours(rng, first=True).blur for _ in range(DRAWS)]
    assert (min(deviations), max(deviations)) == pytest.approx((0.1, 2.0), abs=0.01)


@pytest.mark.parametrize("name", ADJUSTMENTS)
@pytest.mark.parametrize("share", [-1.0, -0.4, 0.0, 0.7, 1.0])
def test_each_adjustment_agrees_with_torchvision(image, name, share):
    amount = {
        "brightness": 1 + 0.4 * share,
        "contrast": 1 + 0.4 * share,
        "saturation": 1 + 0.2 * share,
    }.get(name, share / 10)
    theirs = getattr(functional, f"adjust_{name}")(torch.from_numpy(image), amount)
    largest, mean = differences_of(
        recolour(image.copy(), Colours(jitter=((name, amount),))), theirs
    )
    assert largest <= 1
    assert mean < 0.05  # values that round to the next level
    assert name == "hue" or share == 0 or differences_of(image, theirs)[1] > 1


def test_sequences_of_adjustments_agree_with_torchvision(image):
    rng = np.random.default_rng(0)
    for _ in range(40):
        jitter = draw_colours(rng, first=True).jitter
        theirs = torch.from_numpy(image)
        for name, amount in jitter:
            theirs = getattr(functional, f"adjust_{name}")(theirs, amount)
        largest, mean = differences_of(recolour(image.copy(), Colours(jitter)), theirs)
        assert largest <= 4  # contrast and saturation amplify an early difference
        assert mean < 0.1


def test_grey_solarize_and_blur_agree_with_torchvision_and_opencv(image):
    grey = functional.rgb_to_grayscale(torch.from_numpy(image), num_output_channels=3)
    assert differences_of(recolour(image.copy(), Colours(grey=True)), grey)[0] <= 1
    inverted = functional.solarize(torch.from_numpy(image), threshold=128)
    assert np.array_equal(recolour(image.copy(), Colours(solarize=True)), inverted)
    blurred = cv2.GaussianBlur(
        np.ascontiguousarray(image.transpose(1, 2, 0)), (0, 0), 1.3
    ).transpose(2, 0, 1)
    assert np.array_equal(recolour(image.copy(), Colours(blur=1.3)), blurred)


def test_changes_are_applied_in_their_order(image):
    """Jitter, grey, blur, then solarize: each alone, one after the other."""
    steps = [
        Colours(jitter=(("hue", 0.1), ("brightness", 1.4))),
        Colours(grey=True),
        Colours(blur=1.0),
        Colours(solarize=True),
    ]
    one_by_one = image.copy()
    for step in steps:
        one_by_one = recolour(one_by_one, step)
    together = Colours(steps[0].jitter, grey=True, blur=1.0, solarize=True)
    assert np.array_equal(recolour(image.copy(), together), one_by_one)


def test_normalisation_is_imagenets(image):
    theirs = functional.normalize(
        torch.from_numpy(image).float() / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    )
    assert normalise(image) == pytest.approx(theirs.numpy(), abs=1e-5)
