import re

import pytest
import yaml
from user_errors import refused

from soco.config import DetectorConfig, PretrainConfig, ViewConfig, load_config, recipe
from soco.config.presets import RECIPES
from soco.pretrain.model import model_of_recipe

# What the release's five scripts and its option defaults set. Compare with the release before
# changing a value here.
EVERYWHERE = {
    "boxes": 4,
    "level_bounds": (48, 96, 192, 224),
    "jitter_probability": 0.5,
    "projector_hidden": 4096,
    "projector_out": 256,
    "batch_size": 2048,
    "base_lr": 1.0,
    "final_lr": 1e-6,
    "warmup_epochs": 10,
    "warmup_divisor": 100,
    "momentum": 0.9,
    "weight_decay": 1e-5,
    "trust": 0.001,
    "ema_base": 0.99,
    "processes": 16,
    "accumulate": 1,
    "reduced_decoding": False,
}
VIEWS = {
    "c4": [(224, None), (224, "a")],
    "fpn": [(224, None), (224, "a"), (112, "b")],
    "star": [(224, None), (224, "a"), (192, "b"), (112, "a")],
}
C4 = {
    "architecture": "c4",
    "views": VIEWS["c4"],
    "crop_scale": 0.6,
    "jitter": 0.0,
    "cutout_probability": 0.5,
}
FPN = {"architecture": "fpn", "views": VIEWS["fpn"], "crop_scale": 0.5, "jitter": 0.1}
RELEASE = {
    "soco_c4_100": {**C4, "epochs": 100},
    "soco_c4_400": {**C4, "epochs": 400},
    "soco_fpn_100": {**FPN, "epochs": 100, "cutout_probability": 0.5},
    "soco_fpn_400": {**FPN, "epochs": 400, "cutout_probability": 0.0},
    "soco_star_400": {**FPN, "views": VIEWS["star"], "epochs": 400, "cutout_probability": 0.0},
}


@pytest.fixture(scope="module", params=sorted(RELEASE))
def name(request):
    return request.param


def test_the_recipes_are_the_five_of_the_release(repository):
    assert set(RECIPES) == set(RELEASE)
    assert {path.stem for path in (repository / "recipes").glob("soco_*.yaml")} == set(RELEASE)


def test_every_value_is_the_releases(name):
    settings, detector = recipe(name)
    expected = {**EVERYWHERE, **RELEASE[name]}
    views = tuple(ViewConfig(size=size, crop=crop) for size, crop in expected.pop("views"))
    assert {key: getattr(settings, key) for key in expected} == expected
    assert settings.views == views
    assert detector == DetectorConfig(
        backbone="resnet50", fpn_channels=256, head_channels=256, head_convs=4, head_fc=1024
    )


def test_a_recipe_file_is_self_contained(repository, name):
    config = load_config(repository / "recipes" / f"{name}.yaml")
    assert (config.pretrain[name], config.detector) == recipe(name)
    assert (config.demo, config.datasets, config.finetune) == (None, {}, {})
    assert [*config.pretrain] == [name]
    assert config.filter.strategy.name == "ratio3size0308"
    assert [fallback.name for fallback in config.filter.fallbacks] == ["ratio3", "none"]
    assert (config.proposals.engine, config.proposals.scale, config.proposals.sigma) == (
        "soco",
        300,
        0.9,
    )
    assert config.proposals.min_size == 100
    assert config.filter.min_side == 32


def test_the_short_name_is_the_same_recipe():
    assert recipe("star_400") == recipe("soco_star_400")


def test_an_unknown_recipe_is_refused_and_the_nearest_named():
    known = ", ".join(RECIPES)
    with refused("config.unknown_recipe", name="fpn_40", nearest="soco_fpn_400", known=known):
        recipe("fpn_40")


def test_changes_are_checked(config_refused):
    settings, _ = recipe("fpn_100", batch_size=32, epochs=10, warmup_epochs=1)
    assert (settings.batch_size, settings.epochs, settings.crop_scale) == (32, 10, 0.5)
    with config_refused("extra_forbidden", "pretrain.soco_fpn_100.epoch", "'epochs'?"):
        recipe("fpn_100", epoch=10)
    with config_refused("only_warmup", "pretrain.soco_fpn_100"):
        recipe("fpn_100", epochs=5)


def test_a_model_is_made_by_name(golden):
    model = model_of_recipe("c4_100")
    shapes = golden("model")["models"]["SoCo_C4"]["state_dict"]
    assert {
        parameter: list(tensor.shape) for parameter, tensor in model.state_dict().items()
    } == shapes


def test_the_page_lists_every_recipe_and_its_values(repository):
    page = (repository / "docs" / "recipes.md").read_text()
    header, _, *rows = re.search(r"(\| key \|.*?)\n\n", page, re.DOTALL).group(1).split("\n")
    names = [f"soco_{column.strip(' `')}" for column in header.split("|")[2:-1]]
    assert names == sorted(RELEASE)
    listed = {
        row.split("|")[1].strip(" `"): [cell.strip() for cell in row.split("|")[2:-1]]
        for row in rows
    }
    assert set(listed) == {
        "architecture",
        "views",
        "crop_scale",
        "jitter",
        "cutout_probability",
        "epochs",
    }
    for key, cells in listed.items():
        for recipe_name, cell in zip(names, cells, strict=True):
            settings, _ = recipe(recipe_name)
            value = getattr(settings, key)
            if key == "views":
                value = ", ".join(
                    f"{view.size} {view.crop}" if view.crop else str(view.size) for view in value
                )
            assert cell == (f"{value:g}" if isinstance(value, float) else str(value)), (
                recipe_name,
                key,
            )


def test_the_page_names_only_keys_that_exist(repository):
    page = (repository / "docs" / "recipes.md").read_text()
    known = {*PretrainConfig.model_fields, *DetectorConfig.model_fields}
    keys = set(re.findall(r"`([a-z0-9_]+): [^`]+`", page))
    assert len(keys) >= 7
    assert keys <= known, keys - known
    for key, value in re.findall(r"`([a-z0-9_]+): ([^` ]+)`", page):
        settings, _ = recipe("fpn_100", **{key: yaml.safe_load(value)})
        assert str(getattr(settings, key)) in {value, f"{value}.0", value.capitalize()}
