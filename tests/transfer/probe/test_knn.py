import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from soco.transfer.probe import knn
from soco.transfer.probe.accuracy import hits, joined, percent, summary
from soco.transfer.probe.features import Features
from soco.transfer.probe.knn import knn_hits, nearest

CPU = torch.device("cpu")


def of(vectors, labels):
    return Features(torch.as_tensor(vectors, dtype=torch.float32), torch.as_tensor(labels), 0)


@pytest.fixture
def clouds():
    """Noisy vectors around five directions: 600 neighbours, 90 to classify."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(5, 16))
    labels = rng.integers(0, 5, 690)
    vectors = centres[labels] + rng.normal(scale=1.5, size=(690, 16))
    return of(vectors[:600], labels[:600]), of(vectors[600:], labels[600:])


def by_sklearn(train, val, neighbours, temperature):
    judge = KNeighborsClassifier(
        neighbours,
        metric="cosine",
        algorithm="brute",
        weights=lambda distances: np.exp((1 - distances) / temperature),
    )
    judge.fit(train.vectors.double().numpy(), train.labels.numpy())
    return judge.predict(val.vectors.double().numpy()) == val.labels.numpy()


@pytest.mark.parametrize(
    ("neighbours", "temperature"), [(1, 0.07), (20, 0.07), (200, 0.07), (20, 1.0)]
)
def test_votes_match_scikit_learn(clouds, neighbours, temperature):
    ours = knn_hits(*clouds, 5, neighbours, temperature, CPU).top1.numpy()
    assert 0.3 < ours.mean() < 1
    assert np.array_equal(ours, by_sklearn(*clouds, neighbours, temperature))


def test_textures_are_classified_as_by_scikit_learn(features):
    ours = knn_hits(*features, 7, 20, 0.07, CPU).top1.numpy()
    assert ours.mean() > 0.4  # chance: 0.14
    assert (ours != by_sklearn(*features, 20, 0.07)).sum() <= 1


def test_block_sizes_do_not_change_the_result(clouds, monkeypatch):
    whole = nearest(clouds[1].vectors, clouds[0].vectors, 20, CPU)
    found = knn_hits(*clouds, 5, 20, 0.07, CPU)
    monkeypatch.setattr(knn, "_KEYS", 7)
    monkeypatch.setattr(knn, "_QUERIES", 13)
    blocks = nearest(clouds[1].vectors, clouds[0].vectors, 20, CPU)
    assert torch.equal(whole[1], blocks[1])
    assert torch.allclose(whole[0], blocks[0])
    assert torch.equal(found.top1, knn_hits(*clouds, 5, 20, 0.07, CPU).top1)


def test_the_nearest_decides_at_a_low_temperature(clouds):
    by_one, by_all = (knn_hits(*clouds, 5, count, 1e-4, CPU).top1 for count in (1, 600))
    assert torch.equal(by_one, by_all)


def test_the_length_of_vectors_does_not_matter(clouds):
    train, val = clouds
    longer = of(train.vectors * torch.linspace(0.1, 9, 600)[:, None], train.labels)
    assert torch.equal(
        knn_hits(train, val, 5, 20, 0.07, CPU).top1, knn_hits(longer, val, 5, 20, 0.07, CPU).top1
    )


def test_a_tie_is_not_a_hit():
    found = hits(torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]]), torch.tensor([0, 1]))
    assert found.top1.tolist() == [False, True]
    # Only one of seven classes has votes: the true one, without any, is not in the top five.
    assert hits(
        torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]]), torch.tensor([0])
    ).top5.tolist() == [False]
    assert hits(
        torch.tensor([[3.0, 0.0, 4.0, 5.0, 6.0, 7.0, 0.0]]), torch.tensor([0])
    ).top5.tolist() == [True]


def test_nan_is_not_a_hit():
    found = hits(torch.full((2, 6), torch.nan), torch.tensor([0, 5]))
    assert not found.top1.any()
    assert not found.top5.any()


def test_accuracies_are_in_percent_and_top5_needs_six_classes():
    one, other = (
        hits(torch.eye(6), torch.arange(6)),
        hits(torch.eye(6), torch.tensor([1, 1, 1, 1, 1, 1])),
    )
    both = joined([one, other])
    assert summary(both, 6)["top1"] == pytest.approx(100 * 7 / 12, abs=1e-3)
    assert summary(both, 5) == {"top1": percent(both.top1), "top5": None}
