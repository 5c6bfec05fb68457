"""The plan of the images: splits share no background, and categories have a long tail."""

import json
from collections import Counter
from pathlib import Path

import pytest

from soco.config.schema import DemoConfig
from soco.demo.categories import COARSE, FINE, FINE_BY_NAME, frequency
from soco.demo.forms import FORMS
from soco.demo.photographs import PHOTOGRAPHS, SPLITS, Split
from soco.demo.plan import PlannedImage, plan_split, plan_unlabelled

SCENE = {photograph.key: photograph.scene for photograph in PHOTOGRAPHS}
LARGE = 600  # images: enough for frequent categories


def default_plan(split: Split, seed: int = 1) -> list[PlannedImage]:
    settings = DemoConfig()
    return plan_split(split, getattr(settings, split), settings.objects, seed)


def images_by_category(plans: list[PlannedImage]) -> Counter[str]:
    return Counter(name for plan in plans for name in set(plan.objects))


def test_a_scene_has_one_use() -> None:
    uses = {(photograph.scene, photograph.use) for photograph in PHOTOGRAPHS}
    assert len(uses) == len({scene for scene, _ in uses})
    assert len(SCENE) == len(PHOTOGRAPHS)


def test_backgrounds_of_train_and_val_share_no_scene(demo: Path) -> None:
    used = {}
    for split in SPLITS:
        content = json.loads((demo / "shapes" / f"coco_{split}.json").read_text())
        used[split] = {image["background"] for image in content["images"]}
    assert len(used["train"]) > 10
    assert len(used["val"]) > 5
    assert not {SCENE[key] for key in used["train"]} & {SCENE[key] for key in used["val"]}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_large_split_has_rare_common_and_frequent_categories(seed: int) -> None:
    images = images_by_category(plan_split("train", LARGE, (1, 4), seed))
    groups = Counter(frequency(images[category.name]) for category in FINE)
    assert groups == {"r": 4, "c": 6, "f": 6}
    assert min(images[category.name] for category in FINE) >= 4


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_default_sizes_have_rare_and_common_categories(seed: int) -> None:
    images = images_by_category(default_plan("train", seed))
    groups = Counter(frequency(images[category.name]) for category in FINE)
    assert set(groups) == {"r", "c"}
    assert min(groups.values()) >= 4
    assert min(images[category.name] for category in FINE) >= 1


def test_every_category_occurs_in_val() -> None:
    images = images_by_category(default_plan("val"))
    assert min(images[category.name] for category in FINE) >= 3


def test_coarse_categories_are_balanced() -> None:
    counts = Counter(
        FINE_BY_NAME[name].coarse for plan in default_plan("train") for name in plan.objects
    )
    assert set(counts) == set(COARSE)
    assert max(counts.values()) < 1.5 * min(counts.values())


def test_numbers_of_objects_are_within_bounds() -> None:
    sizes = {len(plan.objects) for plan in plan_split("train", 60, (2, 3), seed=1)}
    assert sizes == {2, 3}


def test_a_tail_without_room_is_cut() -> None:
    assert sum(len(plan.objects) for plan in plan_split("val", 2, (1, 1), seed=1)) == 2


def test_unlabelled_images_are_distributed_as_training_images() -> None:
    sizes = (LARGE * 8, LARGE)
    unlabelled = plan_unlabelled(sizes[0], (1, 4), seed=1)
    plans = (unlabelled, plan_split("train", sizes[1], (1, 4), seed=1))
    objects, lengths, backgrounds = (
        [Counter(value for plan in side for value in values(plan)) for side in plans]
        for values in (
            lambda plan: plan.objects,
            lambda plan: [len(plan.objects)],
            lambda plan: [plan.background.scene],
        )
    )
    for mine, training in (objects, lengths, backgrounds):
        assert set(mine) == set(training)
        for value, count in training.items():
            # Shares of an image, whose standard error is below 0.025 in the training split.
            assert mine[value] / sizes[0] == pytest.approx(count / sizes[1], abs=0.08)


def test_unlabelled_plans_do_not_depend_on_their_number() -> None:
    few, many = plan_unlabelled(5, (1, 4), seed=1), plan_unlabelled(9, (1, 4), seed=1)
    assert few == many[:5]
    assert few != plan_unlabelled(5, (1, 4), seed=2)


def test_images_without_room_for_the_tail_show_only_the_tail() -> None:
    plans = plan_unlabelled(200, (0, 1), seed=1)
    tail = {category.name for category in FINE if category.share is not None}
    assert {name for plan in plans for name in plan.objects} <= tail
    assert {len(plan.objects) for plan in plans} == {0, 1}


def test_every_category_has_a_form() -> None:
    assert set(FORMS) == set(FINE_BY_NAME)
