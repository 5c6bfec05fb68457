"""Weighted kNN on frozen features, as in Wu et al., CVPR 2018, section 3.4."""

import torch
from torch import Tensor
from torch.nn import functional

from soco.progress import progress_bar
from soco.transfer.probe.accuracy import Hits, hits, joined
from soco.transfer.probe.features import Features

# Block sizes: 1024 x 65536 cosines of 4 bytes, 256 MB at once.
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

    A neighbour at cosine similarity s votes for its class with weight exp(s / temperature).

    Args:
        train: Features of the neighbours.
        val: Features to classify.
        classes: C, number of classes.
        neighbours: K; all training images if there are fewer.
        temperature: The smaller, the more the nearest count.
        device: Where cosines are computed.
    """
    cosines, indices = nearest(val.vectors, train.vectors, neighbours, device)
    blocks = []
    for near, keys, labels in zip(
        *(values.split(_QUERIES) for values in (cosines, indices, val.labels)), strict=True
    ):
        # Relative to the nearest neighbour, whose vote becomes 1: exp(s / T) overflows for small T.
        votes = ((near - near[:, :1]) / temperature).exp()  # (queries, K)
        # scores[c] = sum of exp(s / T) over the neighbours of class c; on the CPU, where the order
        # of the sum is fixed.
        scores = torch.zeros(len(labels), classes).scatter_add_(1, train.labels[keys], votes)
        blocks.append(hits(scores, labels))
    return joined(blocks)


def nearest(
    queries: Tensor, keys: Tensor, count: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Find the keys with the largest cosine similarity, block by block.

    Each block of keys is copied to the device once.

    Args:
        queries: (Q, D).
        keys: (N, D).
        count: K; N if that is smaller.
        device: Where cosines are computed.

    Returns:
        (Q, K) cosines in descending order, and (Q, K) int64 indices of keys, on the CPU.
    """
    cosines, indices = torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64)
    with progress_bar(len(keys), "kNN", "image") as bar:
        for first in range(0, len(keys), _KEYS):
            block = functional.normalize(keys[first : first + _KEYS].to(device))
            parts = [_nearest_in(block, some.to(device), count) for some in queries.split(_QUERIES)]
            best, inside = (torch.cat(part) for part in zip(*parts, strict=True))
            # The best K so far compete with the best K of this block: (Q, 2 K), never (Q, N).
            cosines = torch.cat([cosines, best], dim=1)
            indices = torch.cat([indices, inside + first], dim=1)
            cosines, order = cosines.topk(min(count, cosines.shape[1]))
            indices = indices.gather(1, order)
            bar.update(len(block))
    return cosines, indices


def _nearest_in(block: Tensor, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
    best, inside = (functional.normalize(queries) @ block.T).topk(min(count, len(block)))
    return best.cpu(), inside.cpu()
