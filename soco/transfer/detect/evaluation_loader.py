"""A loader of validation images in batches, whose workers stay for the next evaluation."""

import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetFromList, get_detection_dataset_dicts
from detectron2.data.samplers import InferenceSampler
from detectron2.data.transforms import ResizeShortestEdge
from torch.utils.data import DataLoader, Dataset

from soco.torch_compat import stop_workers
from soco.transfer.detect.mapper import ImageMapper
from soco.transfer.detect.parcels import packed, unpacked

Record = dict[str, Any]

# A batch of small images takes hardly more host time than one image. Large ones gain nothing, and
# more of them need more memory: one of 800 x 1333 pixels exceeds this limit alone.
_PIXELS = 1 << 18
_MOST = 16
# The FPN pads images to multiples of its largest stride; C4 does not pad.
_FPN_STRIDE = 32


class EvaluationLoader:
    """The validation images of one process, batched by size; an iteration is one evaluation."""

    def __init__(self, cfg: CfgNode, name: str) -> None:
        """Prepare the loader; workers start with the first iteration.

        Args:
            cfg: detectron2's configuration.
            name: The set's name in detectron2's catalogues.
        """
        records = get_detection_dataset_dicts(name, filter_empty=False)
        sizes = [_padded_size(cfg, record) for record in records]
        areas = [record["height"] * record["width"] for record in records]
        self._loader = DataLoader(
            _Images(records, ImageMapper(cfg, False)),
            batch_sampler=batches_by_size(InferenceSampler(len(records)), sizes, areas),
            num_workers=cfg.DATALOADER.NUM_WORKERS,
            persistent_workers=cfg.DATALOADER.NUM_WORKERS > 0,
            collate_fn=packed,
            # Else the loader would draw from the training's generator.
            generator=torch.Generator(),
        )
        self._batches: Iterator[list[Record | bytes]] | None = None

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[list[Record]]:
        self._batches = iter(self._loader)
        return map(unpacked, self._batches)

    def close(self) -> None:
        """End the workers."""
        stop_workers(self._batches)


class _Images(Dataset[Record]):
    def __init__(self, records: list[Record], mapper: ImageMapper) -> None:
        # One array, which workers share; see `soco.transfer.detect.loader`.
        self._records = DatasetFromList(records, copy=False)
        self._mapper = mapper

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, number: int) -> Record:
        mapped: Record = self._mapper(self._records[number])
        return mapped


def batches_by_size(
    numbers: Iterable[int],
    sizes: Sequence[tuple[int, int]],
    areas: Sequence[int],
    pixels: int = _PIXELS,
) -> list[list[int]]:
    """Divide images into batches of one size, so that each image is padded as it would be alone.

    Args:
        numbers: The images to divide.
        sizes: Height and width of each image of the set as the detector gets it, with padding.
        areas: Pixels of each image before it is resized: its masks are pasted at that size.
        pixels: The most pixels of a batch in either size; a larger image is alone.

    Returns:
        Batches of numbers, by their first image.
    """
    same_size = defaultdict(list)
    for number in numbers:
        same_size[sizes[number]].append(number)
    batches = []
    for size, group in same_size.items():
        largest = max(size[0] * size[1], *(areas[number] for number in group))
        count = min(_MOST, max(1, pixels // largest))
        batches += [group[start : start + count] for start in range(0, len(group), count)]
    return sorted(batches, key=operator.itemgetter(0))


def _padded_size(cfg: CfgNode, record: Record) -> tuple[int, int]:
    resized = ResizeShortestEdge.get_output_shape(
        record["height"], record["width"], cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST
    )
    stride = _FPN_STRIDE if cfg.MODEL.BACKBONE.NAME == "build_resnet_fpn_backbone" else 1
    height, width = (-(-side // stride) * stride for side in resized)
    return height, width
