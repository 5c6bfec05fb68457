"""The plan of the composed images: splits share no scene, and categories have a long tail."""

import json
from collections import Counter
from pathlib import Path

import pytest

from soco.config.schema import DemoConfig
from soco.demo.categories import COARSE, FINE, FINE_BY_NAME, frequency
from soco.demo.forms import FORMS
from soco.demo.photographs import PHOTOGRAPHS, SPLITS, Split
from soco.demo.plan import PlannedImage, plan_split

SCENE = {photograph.key: photograph.scene for photograph in PHOTOGRAPHS}


def default_plan(split: Split, seed: int = 1) -> list[PlannedImage]:
    settings = DemoConfig()
    return plan_split(split, getattr(settings, split), settings.objects, seed)


def images_by_category(plans: list[PlannedImage]) -> Counter[str]:
    return Counter(
        name for plan in plans for name in {planned.category for planned in plan.objects}
    )


def test_a_scene_is_in_one_split() -> None:
    splits = {(photograph.scene, photograph.split) for photograph in PHOTOGRAPHS}
    assert len(splits) == len({scene for scene, _ in splits})
    assert len(SCENE) == len(PHOTOGRAPHS)


def test_train_and_val_share_no_photograph_and_no_scene(demo: Path) -> None:
    used = {}
    for split in SPLITS:
        content = json.loads((demo / "shapes" / f"coco_{split}.json").read_text())
        used[split] = {image["background"] for image in content["images"]}
        used[split] |= {entry["texture"] for entry in content["annotations"]}
    assert len(used["train"]) > 10
    assert len(used["val"]) > 5
    assert not used["train"] & used["val"]
    assert not {SCENE[key] for key in used["train"]} & {SCENE[key] for key in used["val"]}


@pytest.mark.parametrize("split", SPLITS)
def test_a_texture_never_shows_the_background_s_scene(split: Split) -> None:
    for plan in default_plan(split):
        assert all(planned.texture.scene != plan.background.scene for planned in plan.objects)
        assert not plan.background.plain


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_default_sizes_have_rare_common_and_frequent_categories(seed: int) -> None:
    images = images_by_category(default_plan("train", seed))
    groups = Counter(frequency(images[category.name]) for category in FINE)
    assert groups == {"r": 4, "c": 6, "f": 6}
    assert min(images[category.name] for category in FINE) >= 4


def test_every_category_occurs_in_val() -> None:
    images = images_by_category(default_plan("val"))
    assert min(images[category.name] for category in FINE) >= 3


def test_coarse_categories_are_balanced() -> None:
    counts = Counter(
        FINE_BY_NAME[it.category].coarse for plan in default_plan("train") for it in plan.objects
    )
    assert set(counts) == set(COARSE)
    assert max(counts.values()) < 1.5 * min(counts.values())


def test_numbers_of_objects_are_within_bounds() -> None:
    sizes = {len(plan.objects) for plan in plan_split("train", 60, (2, 3), seed=1)}
    assert sizes == {2, 3}


def test_a_tail_without_room_is_cut() -> None:
    assert sum(len(plan.objects) for plan in plan_split("val", 2, (1, 1), seed=1)) == 2


def test_every_category_has_a_form() -> None:
    assert set(FORMS) == set(FINE_BY_NAME)
