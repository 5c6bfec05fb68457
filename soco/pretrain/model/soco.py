"""SoCo: an online and a target branch that agree on the same object in different views."""

import copy
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from soco.config import DetectorConfig, PretrainConfig
from soco.pretrain.model.casting import weights_cast_once
from soco.pretrain.model.collapse import collapse_metrics
from soco.pretrain.model.encoder import build_encoder, c2_to_c5, c4_map, channels_of
from soco.pretrain.model.heads import MLP, ROI_SIDE, BoxHead
from soco.pretrain.model.levels import levels
from soco.pretrain.model.loss import Vectors, total_loss
from soco.pretrain.model.neck import FPN
from soco.pretrain.model.pooling import (
    BoxSet,
    Maps,
    Plan,
    describe_assigned,
    describe_on_all_levels,
    plan_assigned,
)
from soco.pretrain.model.recompute import Call, plain, recomputed
from soco.pretrain.views.batch import Batch
from soco.seeds import seeded_torch

_C4_ROI_SIDE = 14


@dataclasses.dataclass(frozen=True)
class Branch:
    """The parts of one branch; without neck and head (C4) boxes are pooled on C4 and described by
    res5.

    Attributes:
        encoder: The ResNet.
        neck: The FPN.
        head: The box head.
        ends: Projector and, online, predictor.
        call: Runs a part: keeping its activations, or computing them again for the gradient.
    """

    encoder: nn.Module
    neck: nn.Module | None
    head: nn.Module | None
    mlps: tuple[nn.Module, ...]
    call: Call = plain

    @property
    def roi_side(self) -> int:
        """Width and height that boxes are pooled to."""
        return _C4_ROI_SIDE if self.head is None else ROI_SIDE

    def maps(self, view: Tensor) -> list[Tensor]:
        """(B, 3, S, S) to the maps that boxes are pooled on, finest first."""
        if self.neck is None:
            return [c4_map(self.encoder, view, self.call)]
        return self.call(self.neck, c2_to_c5(self.encoder, view, self.call))

    def describe(self, rois: Tensor) -> Tensor:
        """(R, C, side, side) to (R, D)."""
        if self.head is None:
            for block in self.encoder.layer4:
                rois = self.call(block, rois)
            vectors = rois.mean(dim=(2, 3))
        else:
            vectors = self.call(self.head, rois)
        for mlp in self.mlps:
            vectors = mlp(vectors)
        return vectors


class Agreement(NamedTuple):
    """What a batch gives: the loss, and signs of collapse in view 1's target vectors (see
    `collapse.py`).

    Attributes:
        loss: 0 for vectors that do not agree, down to -4 for each pair of views.
        spread: Near 1 where vectors differ, 0 where all are one.
        cosine_apart: Mean cosine between vectors of different images.
    """

    loss: Tensor
    spread: Tensor
    cosine_apart: Tensor


class SoCo(nn.Module):
    """One class for SoCo-FPN, SoCo* and SoCo-C4: they differ in views and parts (SoCo section 3).

    Parameters bear the release's names: `encoder`, `neck`, `head`, `projector`, `predictor`, and
    with `_k` the target's. The target takes no gradient; `update_target` moves it before each
    step's forward pass.
    """

    def __init__(self, settings: PretrainConfig, detector: DetectorConfig) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = build_encoder(detector.backbone)
        channels = channels_of(self.encoder)
        self.neck, self.head, features = None, None, channels[-1]
        if settings.architecture == "fpn":
            self.neck = FPN(channels, detector.fpn_channels)
            self.head = BoxHead(
                detector.fpn_channels, detector.head_channels, detector.head_convs, detector.head_fc
            )
            features = detector.head_fc
        self.projector = MLP(features, settings.projector_hidden, settings.projector_out)
        self.predictor = MLP(
            settings.projector_out, settings.projector_hidden, settings.projector_out
        )
        self.encoder_k, self.neck_k = copy.deepcopy(self.encoder), copy.deepcopy(self.neck)
        self.head_k, self.projector_k = copy.deepcopy(self.head), copy.deepcopy(self.projector)
        for _, target in self._momentum_pairs():
            target.requires_grad_(False)
        self._maps, self._describe = Branch.maps, Branch.describe

    def forward(self, batch: Batch) -> Agreement:
        """Describe the boxes of all views with both branches, and compare."""
        sets, side = self._box_sets(batch), self.online.roi_side
        maps = [self._maps(self.online, view) for view in batch.views]
        plan = None
        if self.settings.pooling == "assigned":
            plan = plan_assigned(
                sets, [[tuple(m.shape[-2:]) for m in of_view] for of_view in maps], side
            )
        online = self._pairs(self.online, maps, sets, plan)
        with weights_cast_once(follower for _, follower in self._momentum_pairs()):
            target = self._pairs(
                self.target, [self._maps(self.target, view) for view in batch.views], sets, plan
            )
        first = target[0][0]
        with torch.autocast(
            first.values.device.type, enabled=False
        ):  # a cosine in bf16 has two digits
            return Agreement(total_loss(online, target), *collapse_metrics(first.values, first.ids))

    def compile_parts(self) -> None:
        """Compile what runs before and after the pooling; names of parameters stay as they are."""
        self._maps, self._describe = (
            torch.compile(Branch.maps),
            torch.compile(Branch.describe, dynamic=True),
        )

    @property
    def online(self) -> Branch:
        """The branch that is trained."""
        call = recomputed if self.settings.recompute else plain
        return Branch(self.encoder, self.neck, self.head, (self.projector, self.predictor), call)

    @property
    def target(self) -> Branch:
        """The branch that follows it."""
        return Branch(self.encoder_k, self.neck_k, self.head_k, (self.projector_k,))

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """Move every target parameter towards the online one: k = momentum k + (1 - momentum) q.

        Not the buffers.
        """
        online, target = zip(*self._momentum_pairs(), strict=True)
        torch._foreach_lerp_(list(target), list(online), 1 - momentum)

    def _momentum_pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        for name in ("encoder", "neck", "head", "projector"):
            part, follower = getattr(self, name), getattr(self, f"{name}_k")
            if part is not None:
                yield from zip(part.parameters(), follower.parameters(), strict=True)

    def _pairs(
        self, branch: Branch, maps: Sequence[Maps], sets: list[BoxSet], plan: Plan | None
    ) -> list[tuple[Vectors, Vectors]]:
        describe = functools.partial(self._describe, branch)
        if plan is None:
            vectors = describe_on_all_levels(maps, sets, branch.roi_side, describe)
        else:
            vectors = describe_assigned(maps, plan, describe)
        return list(zip(vectors[::2], vectors[1::2], strict=True))

    def _box_sets(self, batch: Batch) -> list[BoxSet]:
        sets = []
        for view, pair in enumerate(batch.pairs, start=1):
            sets.append(self._box_set(0, batch.views[0], pair.boxes_1, pair.ids_1))
            sets.append(self._box_set(view, batch.views[view], pair.boxes_v, pair.ids_v))
        return sets

    def _box_set(self, number: int, view: Tensor, boxes: Tensor, ids: Tensor) -> BoxSet:
        if self.neck is None:
            return BoxSet(number, boxes, ids, torch.zeros_like(ids))
        return BoxSet(number, boxes, ids, levels(boxes, view.shape[-1], self.settings.level_bounds))


def build_model(settings: PretrainConfig, detector: DetectorConfig, seed: int) -> SoCo:
    """Make the model with weights drawn from a seed."""
    with seeded_torch(seed):
        return SoCo(settings, detector)
