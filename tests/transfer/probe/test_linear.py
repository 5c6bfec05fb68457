import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from user_errors import refused

from soco.transfer.probe.features import Features
from soco.transfer.probe.linear import _split, linear_probe

CPU = torch.device("cpu")


def changed(settings, **keys):
    return settings.model_copy(update=keys)


def same(one, other):
    return torch.equal(one.val.top1, other.val.top1) and one.choice == other.choice


def test_textures_are_classified_as_well_as_by_logistic_regression(features, settings):
    train, val = features
    scaler = StandardScaler().fit(train.vectors.numpy())
    judge = LogisticRegression(C=1.0, max_iter=2000)
    judge.fit(scaler.transform(train.vectors.numpy()), train.labels.numpy())
    theirs = judge.score(scaler.transform(val.vectors.numpy()), val.labels.numpy())
    found = linear_probe(train, val, 7, settings, 1, CPU)
    assert theirs > 0.5  # chance: 0.14
    assert found.train.top1.double().mean() > 0.99
    assert abs(found.val.top1.double().mean().item() - theirs) < 0.06


@pytest.fixture
def noisy():
    """Two overlapping classes, so that there is one best layer; 4000 images in each split."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 8000)
    vectors = rng.normal(size=(8000, 10)) + 0.3 * labels[:, None]
    columns = [torch.as_tensor(vectors, dtype=torch.float32), torch.as_tensor(labels)]
    return [
        Features(columns[0][part], columns[1][part], 0) for part in (slice(4000), slice(4000, None))
    ]


def test_overlapping_classes_give_the_optimum_of_logistic_regression(noisy, settings):
    train, val = noisy
    judge = LogisticRegression(C=1e6).fit(train.vectors.numpy(), train.labels.numpy())
    theirs = torch.as_tensor(judge.predict(val.vectors.numpy())) == val.labels
    found = linear_probe(train, val, 2, changed(settings, base_lrs=(0.03,), epochs=20), 1, CPU)
    assert 0.6 < theirs.double().mean() < 0.75
    assert (found.val.top1 != theirs).double().mean() < 0.01


def test_the_result_depends_only_on_the_seed(features, settings):
    found = [
        linear_probe(*features, 7, changed(settings, epochs=3), seed, CPU) for seed in (1, 1, 2)
    ]
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_scale_and_offset_of_a_channel_do_not_matter(features, settings):
    scale = torch.logspace(-2, 2, features[0].vectors.shape[1])
    moved = [Features(each.vectors * scale + 1, each.labels, 0) for each in features]
    one, other = (
        linear_probe(*each, 7, changed(settings, base_lrs=(0.03,)), 1, CPU)
        for each in (features, moved)
    )
    assert (one.val.top1 != other.val.top1).sum() <= 1


def test_a_constant_channel_does_not_matter(features, settings):
    wider = [
        Features(torch.nn.functional.pad(e.vectors, (1, 1), value=7.3), e.labels, 0)
        for e in features
    ]
    wider[1].vectors[:, 0] = -1e4
    one, other = (
        linear_probe(*each, 7, changed(settings, base_lrs=(0.03,)), 1, CPU)
        for each in (features, wider)
    )
    assert torch.equal(one.val.top1, other.val.top1)


def test_validation_images_do_not_influence_the_rate(features, settings):
    train, val = features
    wrong = Features(val.vectors, (val.labels + 1) % 7, 0)
    few = changed(settings, epochs=20, base_lrs=(1e-6, 0.03, 1e-5))
    one, other = (linear_probe(train, each, 7, few, 1, CPU) for each in (val, wrong))
    assert one.choice == other.choice
    assert one.base_lr == other.base_lr == max(one.choice, key=one.choice.get) == 0.03


def test_a_single_rate_needs_no_choice(features, settings):
    found = linear_probe(*features, 7, changed(settings, epochs=2, base_lrs=(0.1,)), 1, CPU)
    assert (found.base_lr, found.choice) == (0.1, {})


def test_rates_are_tried_independently(features, settings):
    pair, triple = (
        changed(settings, epochs=5, base_lrs=rates) for rates in ((0.001, 0.03), (0.001, 0.03, 3.0))
    )
    one, other = (linear_probe(*features, 7, each, 1, CPU) for each in (pair, triple))
    assert {rate: other.choice[rate] for rate in one.choice} == one.choice


def test_a_fifth_of_each_class_is_held_out():
    labels = torch.tensor([0] * 20 + [1] * 3 + [2])
    kept, held_out = _split(labels, torch.Generator().manual_seed(0))
    assert labels[held_out].bincount(minlength=3).tolist() == [4, 1, 0]
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(24))


def test_a_choice_without_held_out_images_is_refused(features, settings):
    train, val = features
    one_each = Features(train.vectors[::24], train.labels[::24], 0)
    with refused("probe.too_few_images"):
        linear_probe(one_each, val, 7, settings, 1, CPU)
    found = linear_probe(one_each, val, 7, changed(settings, base_lrs=(0.03,)), 1, CPU)
    assert found.train.top1.all()
