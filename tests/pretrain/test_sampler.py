import pytest
from user_errors import refused

from soco.config import PretrainConfig
from soco.pretrain.sampler import EpochSampler


def sampler(images, batch_size, epochs, accumulate=1, **more):
    keys = {"batch_size": batch_size, "epochs": epochs, "accumulate": accumulate}
    recipe = PretrainConfig(**keys, warmup_epochs=0, steps=more.pop("steps", None))
    return EpochSampler(images, recipe, **{"seed": 1, **more})


def test_an_epoch_shows_each_image_at_most_once():
    batches = list(sampler(images=11, batch_size=3, epochs=2))
    assert len(batches) == 6
    for epoch in range(2):
        numbers = [number for batch in batches for e, number in batch if e == epoch]
        assert len(set(numbers)) == len(numbers) == 9
    assert batches[:3] != [[(0, n) for _, n in batch] for batch in batches[3:]]


@pytest.mark.parametrize("first", [0, 2, 3, 5])
def test_the_order_from_a_later_step_is_the_rest_of_the_order(first):
    order = list(sampler(11, 3, 2))
    rest = sampler(11, 3, 2, first_step=first)
    assert list(rest) == order[first:]
    assert len(rest) == len(order) - first


@pytest.mark.parametrize("first", [0, 4])
def test_a_length_in_steps_ends_within_an_epoch(first):
    order = list(sampler(11, 3, 9, accumulate=3))
    some = sampler(11, 3, 1, accumulate=3, steps=5, first_step=first)
    assert list(some) == order[3 * first : 15]
    assert (some.steps, len(some)) == (5, 3 * (5 - first))


def test_a_length_of_no_steps_has_no_batches():
    assert list(sampler(11, 3, 1, steps=0)) == []


def test_fewer_images_than_a_batch_are_refused():
    with refused("pretrain.too_few_images", images=5, batch_size=8):
        sampler(5, 8, 1)


def test_processes_and_accumulation_steps_together_show_what_one_process_shows():
    alone = list(sampler(29, 12, 2, seed=3))
    shares = [
        list(sampler(29, 12, 2, seed=3, accumulate=2, rank=rank, ranks=3)) for rank in range(3)
    ]
    assert [len(share) for share in shares] == [len(alone) * 2] * 3
    for number, step in enumerate(alone):
        passes = [[place for share in shares for place in share[2 * number + p]] for p in range(2)]
        assert passes[0] + passes[1] == step


def test_the_share_of_a_process_from_a_later_step_is_the_rest_of_it():
    whole = list(sampler(29, 12, 2, seed=3, accumulate=2, rank=1, ranks=3))
    rest = sampler(29, 12, 2, seed=3, accumulate=2, rank=1, ranks=3, first_step=3)
    assert list(rest) == whole[6:]
    assert len(rest) == 2


def test_a_step_that_cannot_be_shared_evenly_is_refused():
    with refused("pretrain.uneven_batch", batch_size=8, processes=3, accumulate=2):
        sampler(20, 8, 1, accumulate=2, ranks=3)
