"""SoCo: an online and a target branch that agree on the same object in different views."""

import copy
import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from soco.config import DetectorConfig, PretrainConfig
from soco.models.collapse import spread_and_cosine_apart
from soco.models.encoder import build_encoder, c2_to_c5, c4_map, channels_of
from soco.models.heads import MLP, ROI_SIDE, BoxHead
from soco.models.levels import levels
from soco.models.loss import Vectors, total_loss
from soco.models.neck import FPN
from soco.models.pooling import BoxSet, Describe, describe_assigned, describe_on_all_levels
from soco.views.batch import Batch

_C4_ROI_SIDE = 14


@dataclasses.dataclass(frozen=True)
class Branch:
    """The parts of one branch; without neck and head (C4) boxes are pooled on C4 and described by res5."""

    encoder: nn.Module
    neck: nn.Module | None
    head: nn.Module | None
    projector: nn.Module

    @property
    def roi_side(self) -> int:
        """Width and height that boxes are pooled to."""
        return _C4_ROI_SIDE if self.head is None else ROI_SIDE

    def maps(self, view: Tensor) -> list[Tensor]:
        """(B, 3, S, S) to the maps that boxes are pooled on, finest first."""
        if self.neck is None:
            return [c4_map(self.encoder, view)]
        return self.neck(c2_to_c5(self.encoder, view))

    def describe(self, rois: Tensor) -> Tensor:
        """(R, C, side, side) to (R, F)."""
        if self.head is None:
            return self.encoder.layer4(rois).mean(dim=(2, 3))
        return self.head(rois)


class Agreement(NamedTuple):
    """What a batch gives: the loss, and signs of collapse in the target's vectors of view 1 (soco/models/collapse.py).

    Attributes:
        loss: 0 for vectors that do not agree, down to -4 for each pair of views.
        spread: Near 1 where vectors differ, 0 where all are one.
        cosine_apart: Mean cosine between vectors of different pictures.
    """

    loss: Tensor
    spread: Tensor
    cosine_apart: Tensor


class SoCo(nn.Module):
    """One class for SoCo-FPN, SoCo* and SoCo-C4: they differ in views and parts (SoCo section 3).

    Parameters bear the release's names: `encoder`, `neck`, `head`, `projector`, `predictor`, and with `_k` the
    target's. The target takes no gradient; `update_target` moves it before each step's forward pass.
    """

    def __init__(self, settings: PretrainConfig, detector: DetectorConfig) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = build_encoder(detector.backbone)
        channels = channels_of(self.encoder)
        self.neck, self.head, features = None, None, channels[-1]
        if settings.architecture == "fpn":
            self.neck = FPN(channels, detector.fpn_channels)
            self.head = BoxHead(detector.fpn_channels, detector.head_channels, detector.head_convs, detector.head_fc)
            features = detector.head_fc
        self.projector = MLP(features, settings.projector_hidden, settings.projector_out)
        self.predictor = MLP(settings.projector_out, settings.projector_hidden, settings.projector_out)
        self.encoder_k, self.neck_k = copy.deepcopy(self.encoder), copy.deepcopy(self.neck)
        self.head_k, self.projector_k = copy.deepcopy(self.head), copy.deepcopy(self.projector)
        for _, target in self._followed():
            target.requires_grad_(False)

    def forward(self, batch: Batch) -> Agreement:
        """Describe the boxes of all views with both branches, and compare."""
        online = self._vectors(batch, self.online, lambda features: self.predictor(self.projector(features)))
        with torch.no_grad():
            target = self._vectors(batch, self.target, self.projector_k)
        with torch.autocast(batch.numbers.device.type, enabled=False):  # a cosine in bf16 has two digits
            first = target[0][0]
            return Agreement(total_loss(online, target), *spread_and_cosine_apart(first.values, first.ids))

    @property
    def online(self) -> Branch:
        """The branch that is trained."""
        return Branch(self.encoder, self.neck, self.head, self.projector)

    @property
    def target(self) -> Branch:
        """The branch that follows it."""
        return Branch(self.encoder_k, self.neck_k, self.head_k, self.projector_k)

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """Move every target parameter towards the online one: k = momentum k + (1 - momentum) q; not the buffers."""
        online, target = zip(*self._followed(), strict=True)
        torch._foreach_mul_(list(target), momentum)
        torch._foreach_add_(list(target), list(online), alpha=1 - momentum)

    def _followed(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        for name in ("encoder", "neck", "head", "projector"):
            part, follower = getattr(self, name), getattr(self, f"{name}_k")
            if part is not None:
                yield from zip(part.parameters(), follower.parameters(), strict=True)

    def _vectors(self, batch: Batch, branch: Branch, project: Describe) -> list[tuple[Vectors, Vectors]]:
        maps = [branch.maps(view) for view in batch.views]
        sizes = [view.shape[-1] for view in batch.views]
        sets = []
        for number, pair in enumerate(batch.pairs, start=1):
            sets.append(self._box_set(maps[0], pair.boxes_1, pair.ids_1, sizes[0]))
            sets.append(self._box_set(maps[number], pair.boxes_v, pair.ids_v, sizes[number]))
        describe = describe_on_all_levels if self.settings.pooling == "release" else describe_assigned
        vectors = describe(sets, branch.roi_side, lambda rois: project(branch.describe(rois)))
        return list(zip(vectors[::2], vectors[1::2], strict=True))

    def _box_set(self, maps: list[Tensor], boxes: Tensor, ids: Tensor, size: int) -> BoxSet:
        if len(maps) == 1:
            return BoxSet(maps, boxes, ids, torch.zeros_like(ids))
        return BoxSet(maps, boxes, ids, levels(boxes, size, self.settings.level_bounds))


def build_model(settings: PretrainConfig, detector: DetectorConfig, seed: int) -> SoCo:
    """Make the model with weights drawn from a seed; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SoCo(settings, detector)
