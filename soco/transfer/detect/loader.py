"""A loader of training images that resumes where an interrupted run stopped.

detectron2's own loader restarts its order after a resume, draws augmentations from generators that
no checkpoint has, and returns images in an order that depends on the number of workers. Here an
image's augmentation depends on the seed and its position in the order, and images that the
interrupted run used are skipped without reading them.
"""

import itertools
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
from soco.transfer.detect.parcels import packed, unpacked

Record = dict[str, Any]


class TrainingLoader:
    """Endless batches of training images; those of a batch are all wide or all high.

    Every iteration over the loader begins with the same batch.
    """

    def __init__(self, cfg: CfgNode, start: int = 0) -> None:
        """Prepare the loader of one process.

        Args:
            cfg: detectron2's configuration; its first training set is loaded.
            start: Number of batches that the training has already used.
        """
        records = get_detection_dataset_dicts(
            cfg.DATASETS.TRAIN, filter_empty=cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS
        )
        self._batch = cfg.SOLVER.IMS_PER_BATCH // comm.get_world_size()
        self._workers = cfg.DATALOADER.NUM_WORKERS
        # The workers prepare the next batch during a step. torch's 2 images for each worker may be
        # less than a batch, and the step would wait for the rest.
        self._ahead = max(2, -(-self._batch // self._workers)) if self._workers else None
        self._images = _AugmentedImages(records, ImageMapper(cfg, True), cfg.SEED)
        # The rule of detectron2's AspectRatioGroupedDataset, which `skip_batches` must repeat.
        wide = [record["width"] > record["height"] for record in records]
        self._sampler = _ResumedSampler(_sampler(cfg, records), wide, self._batch, start)

    def __iter__(self) -> Iterator[list[Record]]:
        # detectron2's grouping reads images one by one. Without its own generator, torch's loader
        # would draw from the training's: in the first step after a resume, where an uninterrupted
        # run does not.
        one_by_one = DataLoader(
            self._images,
            sampler=self._sampler,
            num_workers=self._workers,
            prefetch_factor=self._ahead,
            collate_fn=packed,
            generator=torch.Generator(),
        )
        singles = itertools.chain.from_iterable(map(unpacked, one_by_one))
        return iter(AspectRatioGroupedDataset(singles, self._batch))


class _AugmentedImages(Dataset[Record]):
    """Images by a code: position in the order of all processes x number of images + image."""

    def __init__(self, records: list[Record], mapper: ImageMapper, seed: int) -> None:
        # Serialised into one array: workers share it, where Python objects would be copied page by
        # page.
        self._records = DatasetFromList(records, copy=False)
        self._mapper, self._seed = mapper, seed

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, code: int) -> Record:
        position, number = divmod(code, len(self._records))
        # detectron2's augmentations draw from NumPy's global generator.
        np.random.seed((self._seed, position))  # noqa: NPY002
        mapped: Record = self._mapper(self._records[number])
        return mapped


class _ResumedSampler(Sampler[int]):
    """The codes of one process, without those that an interrupted run used."""

    def __init__(self, sampler: Sampler[int], wide: Sequence[bool], batch: int, start: int) -> None:
        self._sampler, self._wide, self._batch, self._start = sampler, wide, batch, start

    def __iter__(self) -> Iterator[int]:
        processes, rank = comm.get_world_size(), comm.get_rank()
        codes = (
            (turn * processes + rank) * len(self._wide) + number
            for turn, number in enumerate(iter(self._sampler))
        )
        return skip_batches(codes, self._wide, self._batch, self._start)


def skip_batches(
    codes: Iterator[int], wide: Sequence[bool], batch: int, start: int
) -> Iterator[int]:
    """Skip the images of the first `start` batches.

    Images that were drawn and still wait for their batch to fill are not skipped; they come first.

    Args:
        codes: All codes in the order they are drawn; modulo the number of images, an image.
        wide: Whether each image is wider than high; the others are batched separately.
        batch: Images in a batch.
        start: Number of batches to skip.
    """
    waiting: dict[bool, list[int]] = {True: [], False: []}
    while start:
        code = next(codes)
        group = waiting[wide[code % len(wide)]]
        group.append(code)
        if len(group) == batch:
            group.clear()
            start -= 1
    # A code begins with its position, so this is the order in which they were drawn.
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
