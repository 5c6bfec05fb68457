import numpy as np
import pytest
import torch

from soco.config import load_config
from soco.views import appearance
from soco.views.appearance import normalise, recolour

DRAWS = 600


@pytest.fixture
def shares(monkeypatch):
    """How often each change is made to view 1 and to another view."""
    counts = dict.fromkeys(("_jitter_colours", "_blur", "solarize", "rgb_to_grayscale"), 0)

    def counted(name):
        def change(*arguments, **_):
            counts[name] += 1
            return next(argument for argument in arguments if isinstance(argument, torch.Tensor))

        return change

    for name in counts:
        monkeypatch.setattr(appearance if name.startswith("_") else appearance.functional, name, counted(name))

    def of(first):
        counts.update(dict.fromkeys(counts, 0))
        rng = np.random.default_rng(0)
        for _ in range(DRAWS):
            recolour(rng, torch.zeros(3, 2, 2, dtype=torch.uint8), first)
        return {name: count / DRAWS for name, count in counts.items()}

    return of


def test_changes_of_view_one(shares):
    expected = {"_jitter_colours": 0.8, "_blur": 1.0, "solarize": 0.0, "rgb_to_grayscale": 0.2}
    assert shares(first=True) == pytest.approx(expected, abs=0.05)


def test_changes_of_the_other_views(shares):
    expected = {"_jitter_colours": 0.8, "_blur": 0.1, "solarize": 0.2, "rgb_to_grayscale": 0.2}
    assert shares(first=False) == pytest.approx(expected, abs=0.05)


def test_changes_keep_shape_and_type():
    picture = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for seed in range(20):
        changed = recolour(np.random.default_rng(seed), picture, first=seed % 2 == 0)
        assert changed.shape == picture.shape
        assert changed.dtype == torch.uint8


def test_normalisation_is_imagenets():
    white = normalise(torch.full((3, 1, 1), 255, dtype=torch.uint8)).flatten().tolist()
    assert white == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])


@pytest.mark.parametrize(
    ("name", "sizes", "crops", "crop_scale", "jitter", "cutout", "epochs"),
    [
        ("fpn_100", [224, 224, 112], [None, "a", "b"], 0.5, 0.1, 0.5, 100),
        ("fpn_400", [224, 224, 112], [None, "a", "b"], 0.5, 0.1, 0.0, 400),
        ("star_400", [224, 224, 192, 112], [None, "a", "b", "a"], 0.5, 0.1, 0.0, 400),
        ("c4_100", [224, 224], [None, "a"], 0.6, 0.0, 0.5, 100),
        ("c4_400", [224, 224], [None, "a"], 0.6, 0.0, 0.5, 400),
    ],
)
def test_recipes_have_the_releases_values(repository, name, sizes, crops, crop_scale, jitter, cutout, epochs):
    config = load_config(repository / "config.yaml", repository / "recipes" / f"soco_{name}.yaml")
    (recipe,) = config.pretrain.values()
    assert [view.size for view in recipe.views] == sizes
    assert [view.crop for view in recipe.views] == crops
    assert (recipe.crop_scale, recipe.jitter, recipe.cutout_probability) == (crop_scale, jitter, cutout)
    assert (recipe.epochs, recipe.batch_size, recipe.base_lr, recipe.warmup_epochs) == (epochs, 2048, 1.0, 10)
    assert recipe.architecture == ("c4" if name.startswith("c4") else "fpn")
