"""The materials of the categories: splits share no pixel of them, and one look."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from soco.demo.categories import COARSE
from soco.demo.compose import compose_split
from soco.demo.materials import MATERIALS, draw_patch, mean_light, part_of, pixels_of_patch
from soco.demo.photographs import PHOTOGRAPHS, SPLITS, Split, pixels_of
from soco.demo.plan import PlannedImage

Box = tuple[int, int, int, int]


def inside(inner: Box, outer: Box) -> bool:
    return all(
        outer[axis] <= inner[axis]
        and inner[axis] + inner[axis + 2] <= outer[axis] + outer[axis + 2]
        for axis in (0, 1)
    )


def test_every_coarse_category_has_a_material_of_its_own() -> None:
    assert set(MATERIALS) == set(COARSE)
    assert len({material.photograph for material in MATERIALS.values()}) == len(COARSE)
    assert all(material.photograph.use == "material" for material in MATERIALS.values())


@pytest.mark.parametrize("name", COARSE)
def test_parts_are_apart_and_have_room_for_every_patch(name: str) -> None:
    material = MATERIALS[name]
    height, width = pixels_of(material.photograph).shape[:2]
    assert inside(material.area, (0, 0, width, height))
    train, val = (part_of(material, split) for split in SPLITS)
    for part in (train, val):
        assert inside(part, material.area)
        assert min(part[2:]) >= material.sides[1]
    assert val[0] - (train[0] + train[2]) >= 10


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", COARSE)
def test_patches_fill_the_part_and_do_not_leave_it(name: str, split: Split) -> None:
    rng = np.random.default_rng(0)
    patches = [draw_patch(MATERIALS[name], split, rng) for _ in range(300)]
    left, top, width, height = part_of(MATERIALS[name], split)
    assert all(inside(patch.box, (left, top, width, height)) for patch in patches)
    ends = np.array([(p.left, p.top, p.left + p.side, p.top + p.side) for p in patches])
    assert np.abs(ends.min(axis=0)[:2] - (left, top)).max() < 0.1 * max(width, height)
    assert np.abs(ends.max(axis=0)[2:] - (left + width, top + height)).max() < 0.1 * width
    shortest, longest = MATERIALS[name].sides
    assert {patch.side for patch in patches} <= set(range(shortest, longest + 1))


def test_annotated_textures_are_the_categories_and_parts_of_their_split(demo: Path) -> None:
    for split in SPLITS:
        content = json.loads((demo / "shapes" / f"coco_{split}.json").read_text())
        names = {category["id"]: category["name"] for category in content["categories"]}
        for entry in content["annotations"]:
            material = MATERIALS[names[entry["category_id"]]]
            assert entry["texture"] == material.photograph.key
            assert inside(entry["texture_box"], part_of(material, split))


def test_the_annotated_patch_is_what_the_object_shows(tmp_path: Path) -> None:
    sky = next(photograph for photograph in PHOTOGRAPHS if photograph.scene == "rocket")
    plans = [PlannedImage(number, sky, ("round_disc",)) for number in range(1, 7)]
    for record in compose_split(tmp_path, "val", plans, side=128, seed=1):
        (disc,) = record.instances
        image = cv2.imread(str(tmp_path / record.file), cv2.IMREAD_GRAYSCALE)
        x, y, width, height = disc.box
        # The middle of the disc, without its rim.
        middle = image[y + height // 4 : y + height * 3 // 4, x + width // 4 : x + width * 3 // 4]
        left, top, side, _ = disc.texture_box
        patch = pixels_of(MATERIALS["disc"].photograph)[top : top + side, left : left + side, 0]
        likeness = [
            max(likeness_of(middle, view, max(width, height) + wider) for wider in range(3))
            for view in (patch, np.ascontiguousarray(patch[:, ::-1]))
        ]
        # One of them: the patch may be mirrored.
        assert max(likeness) > 0.9 > 0.6 > min(likeness)


def likeness_of(middle: np.ndarray, patch: np.ndarray, side: int) -> float:
    """The largest correlation of a patch, resized to `side`, with the middle of an object."""
    resized = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
    return float(cv2.matchTemplate(resized, middle, cv2.TM_CCOEFF_NORMED).max())


def test_validation_patches_look_like_those_of_training() -> None:
    """A patch's nearest training patches, by colour and roughness, are mostly of its material."""
    rng = np.random.default_rng(0)
    known = {name: [look(name, "train", rng) for _ in range(30)] for name in COARSE}
    scale = np.concatenate(list(known.values())).std(axis=0)
    right = []
    for name in COARSE:
        for _ in range(30):
            mine = look(name, "val", rng)
            distances = {
                other: np.sort(np.linalg.norm((np.array(looks) - mine) / scale, axis=1))[:3].mean()
                for other, looks in known.items()
            }
            right.append(min(distances, key=distances.__getitem__) == name)
    assert np.mean(right) > 0.8


def look(name: str, split: Split, rng: np.random.Generator) -> np.ndarray:
    pixels = pixels_of_patch(draw_patch(MATERIALS[name], split, rng), 32)
    pixels = pixels / mean_light(MATERIALS[name])
    steps = [np.abs(np.diff(pixels.mean(axis=2), axis=axis)).mean() for axis in (0, 1)]
    return np.array([*pixels.mean(axis=(0, 1)), *pixels.std(axis=(0, 1)), *steps])
