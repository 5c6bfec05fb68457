"""The training images in an order that a resumed run takes up where the stopped one left it.

detectron2's own loader begins its order anew after a resume, draws augmentations from generators
that no checkpoint holds, and hands out images in an order that depends on the number of workers.
Here an image's augmentation follows from the seed and from its place in the order, and what a
stopped run had drawn is passed over without reading it.
"""

import copy
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetFromList, get_detection_dataset_dicts
from detectron2.data.common import AspectRatioGroupedDataset
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler
from detectron2.utils import comm
from torch.utils.data import DataLoader, Dataset, Sampler

from soco.transfer.detect.mapper import ImageMapper

Record = dict[str, Any]


class TrainingLoader:
    """Batches of the training images without end, those of one batch all wide or all high.

    Each iteration over it begins with the same batch.
    """

    def __init__(self, cfg: CfgNode, start: int = 0) -> None:
        """Prepare the order of one process.

        Args:
            cfg: detectron2's configuration; its first training set is loaded.
            start: Batches that were already trained on.
        """
        records = get_detection_dataset_dicts(
            cfg.DATASETS.TRAIN, filter_empty=cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS
        )
        self._batch = cfg.SOLVER.IMS_PER_BATCH // comm.get_world_size()
        self._workers = cfg.DATALOADER.NUM_WORKERS
        self._images = _AugmentedImages(records, ImageMapper(cfg, True), cfg.SEED)
        wide = [record["width"] > record["height"] for record in records]
        self._order = _Order(_sampler(cfg, records), wide, self._batch, start)

    def __iter__(self) -> Iterator[list[Record]]:
        # detectron2's grouping reads them one by one. Without a generator of its own, torch's
        # loader would draw from the one that training draws from, in the first step after a resume
        # and not in that step of another run.
        one_by_one = DataLoader(
            self._images,
            sampler=self._order,
            num_workers=self._workers,
            collate_fn=operator.itemgetter(0),
            generator=torch.Generator(),
        )
        return iter(AspectRatioGroupedDataset(one_by_one, self._batch))


class _AugmentedImages(Dataset[Record]):
    """Images by a code, in which their number and their place in the order of all processes stand."""

    def __init__(self, records: list[Record], mapper: ImageMapper, seed: int) -> None:
        self._records = DatasetFromList(records, copy=False)
        self._mapper, self._seed = mapper, seed

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, code: int) -> Record:
        place, number = divmod(code, len(self._records))
        np.random.seed((self._seed, place))  # noqa: NPY002  (what detectron2's augmentations draw from)
        mapped: Record = self._mapper(copy.deepcopy(self._records[number]))
        return mapped


class _Order(Sampler[int]):
    """The codes of one process, without those that an earlier run trained on."""

    def __init__(self, sampler: Sampler[int], wide: Sequence[bool], batch: int, start: int) -> None:
        self._sampler, self._wide, self._batch, self._start = sampler, wide, batch, start

    def __iter__(self) -> Iterator[int]:
        processes, rank = comm.get_world_size(), comm.get_rank()
        codes = (
            (turn * processes + rank) * len(self._wide) + number
            for turn, number in enumerate(iter(self._sampler))
        )
        return after(codes, self._wide, self._batch, self._start)


def after(codes: Iterator[int], wide: Sequence[bool], batch: int, start: int) -> Iterator[int]:
    """Pass over what `start` batches were made of; what was drawn and waited for a batch to fill
    comes first.

    Args:
        codes: All that is drawn, in order; modulo the number of images, an image's number.
        wide: Whether each image is wider than high; the others are batched apart.
        batch: Images of a batch.
        start: Batches that were made.
    """
    waiting: dict[bool, list[int]] = {True: [], False: []}
    while start:
        code = next(codes)
        group = waiting[wide[code % len(wide)]]
        group.append(code)
        if len(group) == batch:
            group.clear()
            start -= 1
    yield from sorted(waiting[True] + waiting[False])
    yield from codes


def _sampler(cfg: CfgNode, records: list[Record]) -> Sampler[int]:
    """detectron2's sampler of this process; all processes share its seed."""
    if cfg.DATALOADER.SAMPLER_TRAIN == "RepeatFactorTrainingSampler":
        factors = RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
            records, cfg.DATALOADER.REPEAT_THRESHOLD, sqrt=cfg.DATALOADER.REPEAT_SQRT
        )
        return RepeatFactorTrainingSampler(factors, seed=cfg.SEED)
    return TrainingSampler(len(records), seed=cfg.SEED)
