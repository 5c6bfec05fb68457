"""The input of the model: a batch of views with corresponding boxes."""

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Pair:
    """The boxes on which view 1 and another view are compared.

    Attributes:
        boxes_1: (B, K, 4) x1, y1, x2, y2 in 0..1 of view 1.
        ids_1: (B, K) int64, from 1; corresponding boxes have the same id.
        boxes_v: (B, K, 4) in 0..1 of the other view.
        ids_v: (B, K) int64.
    """

    boxes_1: Tensor
    ids_1: Tensor
    boxes_v: Tensor
    ids_v: Tensor

    def to(self, device: torch.device | str) -> "Pair":
        """Copy to a device."""
        return Pair(
            *(
                # From page-locked memory this returns at once; the copy overlaps the GPU's work.
                getattr(self, field.name).to(device, non_blocking=True)
                for field in dataclasses.fields(self)
            )
        )

    def pin_memory(self) -> "Pair":
        """Move to page-locked memory, from which a GPU copies in the background."""
        return Pair(*(getattr(self, field.name).pin_memory() for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Batch:
    """B images; the data set yields one image, without the leading dimension.

    Attributes:
        views: For each view (B, 3, S, S) float32, normalised; S differs between views.
        pairs: `pairs[i]` compares view 1 with view i + 2.
        numbers: (B,) int64; the images' numbers in the store.
    """

    views: tuple[Tensor, ...]
    pairs: tuple[Pair, ...]
    numbers: Tensor

    def to(
        self,
        device: torch.device | str,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> "Batch":
        """Copy to a device; the views take the given memory format."""
        views = (
            view.to(device, memory_format=memory_format, non_blocking=True) for view in self.views
        )
        # `numbers` stay on the CPU, as only error messages read them.
        return Batch(tuple(views), tuple(pair.to(device) for pair in self.pairs), self.numbers)

    def tensors(self) -> list[Tensor]:
        """Everything that the model reads: views, boxes and ids, in a fixed order."""
        fields = dataclasses.fields(Pair)
        pairs = [getattr(pair, field.name) for pair in self.pairs for field in fields]
        return [*self.views, *pairs]

    def clone(self) -> "Batch":
        """Copy to memory of its own; the views keep their memory format."""
        fields = dataclasses.fields(Pair)
        pairs = (
            Pair(*(getattr(pair, field.name).clone() for field in fields)) for pair in self.pairs
        )
        views = tuple(view.clone() for view in self.views)
        return Batch(views, tuple(pairs), self.numbers)

    def record_stream(self, stream: torch.Stream) -> None:
        """Keep the memory from being used again before the work of a stream up to now is done."""
        for tensor in self.tensors():
            tensor.record_stream(stream)

    def pin_memory(self) -> "Batch":
        """Move to page-locked memory; `DataLoader` calls this."""
        views = tuple(view.pin_memory() for view in self.views)
        return Batch(views, tuple(pair.pin_memory() for pair in self.pairs), self.numbers)


def collate(samples: list[Batch]) -> Batch:
    """Stack single images into a batch."""
    views = tuple(
        torch.stack(views) for views in zip(*(sample.views for sample in samples), strict=True)
    )
    pairs = tuple(
        Pair(
            *(
                torch.stack([getattr(pair, field.name) for pair in pairs])
                for field in dataclasses.fields(Pair)
            )
        )
        for pairs in zip(*(sample.pairs for sample in samples), strict=True)
    )
    return Batch(views, pairs, torch.stack([sample.numbers for sample in samples]))
