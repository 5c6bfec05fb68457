import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from soco.config import PretrainConfig, ViewConfig
from soco.errors import UserError
from soco.views import ViewDataset, collate
from soco.views.appearance import cut_out
from soco.views.dataset import make_views


@pytest.fixture
def dataset(small_store, tiny_recipe):
    return ViewDataset(*small_store, tiny_recipe, seed=5)


def tensors(sample):
    pairs = [getattr(pair, field.name) for pair in sample.pairs for field in dataclasses.fields(pair)]
    return [*sample.views, *pairs, sample.numbers]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True))


def test_a_sample_follows_from_seed_epoch_and_number_alone(dataset, small_store, tiny_recipe):
    assert same(dataset[3, 2], dataset[3, 2])
    assert not same(dataset[3, 2], dataset[4, 2])
    assert not same(dataset[3, 2], ViewDataset(*small_store, tiny_recipe, seed=6)[3, 2])


def test_workers_change_nothing(dataset):
    places = [[(0, 0), (0, 3)], [(1, 2), (1, 1)]]
    alone = list(DataLoader(dataset, batch_sampler=places, collate_fn=collate))
    shared = list(DataLoader(dataset, batch_sampler=places, collate_fn=collate, num_workers=2))
    assert all(same(a, b) for a, b in zip(alone, shared, strict=True))


def test_shapes_of_a_batch(dataset):
    batch = collate([dataset[0, 0], dataset[0, 1]])
    assert [tuple(view.shape) for view in batch.views] == [(2, 3, 64, 64), (2, 3, 64, 64), (2, 3, 32, 32)]
    assert len(batch.pairs) == 2
    for pair in batch.pairs:
        assert pair.boxes_1.shape == pair.boxes_v.shape == (2, 4, 4)
        assert pair.ids_1.min() >= 1
        assert torch.equal(pair.ids_1, pair.ids_v)
        assert pair.boxes_1.min() >= 0 and pair.boxes_v.max() <= 1


def test_a_picture_without_proposals_is_one_box(tiny_recipe):
    picture = torch.zeros(3, 40, 60, dtype=torch.uint8)
    recipe = tiny_recipe.model_copy(update={"jitter": 0.0})
    _, pairs = make_views(np.random.default_rng(0), picture, np.array([[0, 0, 59, 39]], np.float32), recipe)
    assert pairs[0].ids_1.tolist() == [1, 1, 1, 1]
    assert pairs[0].boxes_1[0].tolist() == pytest.approx([0, 0, 59 / 60, 39 / 40], abs=1 / 30)


@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_a_picture_of_a_few_pixels_still_gives_views(tiny_recipe, size):
    picture = torch.zeros(3, *size, dtype=torch.uint8)
    boxes = np.array([[0, 0, size[1] - 1, size[0] - 1]], np.float32)
    views, _ = make_views(np.random.default_rng(0), picture, boxes, tiny_recipe)
    assert views[0].shape == (3, 64, 64)


def test_views_of_one_crop_name_show_the_same_crop():
    recipe = PretrainConfig(
        views=(ViewConfig(size=64), ViewConfig(size=64, crop="a"), ViewConfig(size=32, crop="a")), boxes=1, jitter=0.0
    )
    boxes = np.array([[10, 10, 80, 60]], np.float32)
    picture = torch.zeros(3, 80, 100, dtype=torch.uint8)
    for seed in range(20):
        _, (first, second) = make_views(np.random.default_rng(seed), picture, boxes, recipe)
        widths = [float(pair.boxes_v[0, 2] - pair.boxes_v[0, 0]) for pair in (first, second)]
        assert widths[0] == pytest.approx(widths[1])


def test_a_box_marks_the_same_pixels_in_every_view(tiny_recipe, monkeypatch):
    """Paint a box white on black: what is white in a view is what its box says, flipped or not."""
    monkeypatch.setattr("soco.views.dataset.recolour", lambda rng, pixels, first: pixels)
    picture = torch.zeros(3, 160, 200, dtype=torch.uint8)
    picture[:, 40:100, 60:140] = 255
    box = np.array([[60, 40, 139, 99]], np.float32)
    recipe = tiny_recipe.model_copy(update={"jitter": 0.0, "cutout_probability": 0.0, "boxes": 1})
    for seed in range(12):
        views, pairs = make_views(np.random.default_rng(seed), picture, box, recipe)
        for view, boxes in [(views[0], pairs[0].boxes_1), (views[1], pairs[0].boxes_v), (views[2], pairs[1].boxes_v)]:
            rows, columns = torch.nonzero(view[0] > 0, as_tuple=True)
            white = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert (boxes[0] * view.shape[-1]).tolist() == pytest.approx([int(edge) for edge in white], abs=1.5)


def test_cut_out_sets_squares_of_the_stated_area_to_zero():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        view = cut_out(rng, torch.ones(3, 200, 200), np.array([[0.3, 0.3, 0.7, 0.7]], np.float32), 1.0)
        shares.append(float((view[0] == 0).sum()) / 80**2)
    assert 0.08 < min(shares) < 0.15
    assert 0.25 < max(shares) < 0.33
    untouched = cut_out(rng, torch.ones(3, 20, 20), np.array([[0, 0, 1, 1]], np.float32), 0.0)
    assert untouched.min() == 1


def test_a_picture_gone_since_the_search_is_named(dataset, folder_of_pictures):
    (folder_of_pictures / dataset.store.key(0)).unlink()
    with pytest.raises(UserError, match=f"{dataset.store.key(0)}.*missing.*proposals again"):
        dataset[0, 0]
