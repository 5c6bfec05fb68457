"""kNN on frozen features: the nearest training images vote (Wu et al., CVPR 2018, section 3.4)."""

import torch
from torch import Tensor
from torch.nn import functional

from soco.progress import progress_bar
from soco.transfer.probe.accuracy import Hits, hits, joined
from soco.transfer.probe.features import Features

# Cosines in memory at once: 1024 x 65536 x 4 bytes, 256 MB.
_QUERIES, _KEYS = 1024, 1 << 16


def knn_hits(
    train: Features,
    val: Features,
    classes: int,
    neighbours: int,
    temperature: float,
    device: torch.device,
) -> Hits:
    """Classify validation images by their nearest training images.

    A neighbour at cosine s votes for its class with exp(s / temperature).

    Args:
        train: Features that are looked up.
        val: Features that are classified.
        classes: C.
        neighbours: K; all training images where there are fewer.
        temperature: Smaller: the nearest counts more.
        device: Where cosines are computed.
    """
    cosines, numbers = nearest(val.vectors, train.vectors, neighbours, device)
    found = []
    for near, places, labels in zip(
        *(of.split(_QUERIES) for of in (cosines, numbers, val.labels)), strict=True
    ):
        # The nearest one's vote is made 1: exp(s / T) of a small T is more than a float holds.
        votes = ((near - near[:, :1]) / temperature).exp()
        scores = torch.zeros(len(labels), classes).scatter_add_(1, train.labels[places], votes)
        found.append(hits(scores, labels))
    return joined(found)


def nearest(
    queries: Tensor, keys: Tensor, count: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Find the vectors of largest cosine, block by block; each block of keys is fetched once.

    Args:
        queries: (Q, D).
        keys: (N, D).
        count: K, or N where that is less.
        device: Where cosines are computed.

    Returns:
        (Q, K) cosines, falling, and (Q, K) int64 numbers of keys, on the CPU.
    """
    cosines, numbers = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64)
    with progress_bar(len(keys), "kNN", "image") as bar:
        for first in range(0, len(keys), _KEYS):
            block = functional.normalize(keys[first : first + _KEYS].to(device))
            found = [_nearest_in(block, some.to(device), count) for some in queries.split(_QUERIES)]
            best, places = (torch.cat(parts) for parts in zip(*found, strict=True))
            cosines, numbers = (
                torch.cat([cosines, best], dim=1),
                torch.cat([numbers, places + first], dim=1),
            )
            cosines, order = cosines.topk(min(count, cosines.shape[1]))
            numbers = numbers.gather(1, order)
            bar.update(len(block))
    return cosines, numbers


def _nearest_in(block: Tensor, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
    best, places = (functional.normalize(queries) @ block.T).topk(min(count, len(block)))
    return best.cpu(), places.cpu()
