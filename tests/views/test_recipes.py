import pytest

from soco.config import load_config


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
