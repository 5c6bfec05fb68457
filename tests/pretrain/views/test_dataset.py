import dataclasses

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from soco.errors import UserError
from soco.pretrain.views import ViewDataset, collate, prepare_worker


@pytest.fixture
def dataset(small_store, tiny_recipe):
    return ViewDataset(*small_store, tiny_recipe, seed=5)


def tensors(sample):
    pairs = [
        getattr(pair, field.name) for pair in sample.pairs for field in dataclasses.fields(pair)
    ]
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
    shared = list(
        DataLoader(
            dataset,
            batch_sampler=places,
            collate_fn=collate,
            num_workers=2,
            worker_init_fn=prepare_worker,
        )
    )
    assert all(same(a, b) for a, b in zip(alone, shared, strict=True))


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_ranks_change_nothing(small_store, tiny_recipe, dataset, ranks):
    """However the images are dealt, and in whatever order a rank takes its own, each sample is the same."""
    places = [(epoch, number) for epoch in range(2) for number in range(5)]
    alone = {place: dataset[place] for place in places}
    for rank in range(ranks):
        own = ViewDataset(*small_store, tiny_recipe, seed=5)
        assert all(same(own[place], alone[place]) for place in reversed(places[rank::ranks]))


def test_a_plan_is_what_the_sample_shows(dataset):
    """Boxes are drawn before an image is read, and are the sample's."""
    plan, sample = dataset.plan((3, 1)), dataset[3, 1]
    assert [view.size for view in plan.views] == [view.shape[-1] for view in sample.views]
    for planned, pair in zip(plan.pairs, sample.pairs, strict=True):
        assert torch.equal(planned.boxes_1, pair.boxes_1)
        assert torch.equal(planned.boxes_v, pair.boxes_v)


def test_shapes_of_a_batch(dataset):
    batch = collate([dataset[0, 0], dataset[0, 1]])
    assert [tuple(view.shape) for view in batch.views] == [
        (2, 3, 64, 64),
        (2, 3, 64, 64),
        (2, 3, 32, 32),
    ]
    assert len(batch.pairs) == 2
    for pair in batch.pairs:
        assert pair.boxes_1.shape == pair.boxes_v.shape == (2, 4, 4)
        assert pair.ids_1.min() >= 1
        assert torch.equal(pair.ids_1, pair.ids_v)
        assert pair.boxes_1.min() >= 0 and pair.boxes_v.max() <= 1


def test_an_image_gone_since_the_search_is_named(dataset, folder_of_images):
    (folder_of_images / dataset.store.key(0)).unlink()
    with pytest.raises(UserError, match=f"{dataset.store.key(0)}.*missing.*proposals again"):
        dataset[0, 0]


def test_another_size_than_that_of_the_search_is_told(dataset, folder_of_images):
    key = dataset.store.key(0)
    Image.new("RGB", (150, 200)).save(folder_of_images / key)
    with pytest.raises(UserError, match=f"{key}.*150 x 200.*had 200 x 150.*shard_images"):
        dataset[0, 0]
