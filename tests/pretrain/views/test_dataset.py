import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from user_errors import refused

from soco.pretrain.views import ViewDataset, collate, prepare_worker

WORKER = """
import json, os, signal, cv2, numba, torch
from soco.pretrain.views import prepare_worker
torch.set_num_threads(2)
prepare_worker(0)
for number in (signal.SIGTERM, signal.SIGINT):
    os.kill(os.getpid(), number)
print(json.dumps([torch.get_num_threads(), cv2.getNumThreads()]))
"""


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


def test_samples_do_not_depend_on_workers(dataset):
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
def test_samples_do_not_depend_on_ranks(small_store, tiny_recipe, dataset, ranks):
    """However the images are split, and in whatever order a rank reads its own."""
    places = [(epoch, number) for epoch in range(2) for number in range(5)]
    alone = {place: dataset[place] for place in places}
    for rank in range(ranks):
        own = ViewDataset(*small_store, tiny_recipe, seed=5)
        assert all(same(own[place], alone[place]) for place in reversed(places[rank::ranks]))


def test_a_plan_is_what_the_sample_shows(dataset):
    """Boxes are drawn before an image is read, and are those of the sample."""
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


def test_an_image_that_is_missing_since_the_search_is_named(dataset, folder_of_images):
    (folder_of_images / dataset.store.key(0)).unlink()
    with refused("pretrain.image_unreadable", image=dataset.store.key(0)):
        dataset[0, 0]


def test_an_image_of_another_size_than_searched_is_named(dataset, folder_of_images):
    key = dataset.store.key(0)
    Image.new("RGB", (150, 200)).save(folder_of_images / key)
    with refused("pretrain.image_resized", image=key, found="150 x 200", searched="200 x 150"):
        dataset[0, 0]


def test_an_image_replaced_by_a_file_of_another_length_is_named(
    dataset, folder_of_images, monkeypatch
):
    """The search compares hashes; training compares only lengths, for speed."""
    key = dataset.store.key(0)
    path = folder_of_images / key
    entry = dataclasses.replace(dataset.store.entry(0), bytes=path.stat().st_size, content=1)
    monkeypatch.setattr(dataset.store, "entry", lambda number: entry)
    assert dataset[0, 0].numbers == 0
    other = Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    other.save(path, quality=40)
    lengths = {"listed": entry.bytes, "found": path.stat().st_size}
    with refused("pretrain.image_replaced", image=key, **lengths):
        dataset[0, 0]


def test_a_worker_has_one_thread_and_ignores_the_signals_that_its_trainer_handles():
    done = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [1, 1]
