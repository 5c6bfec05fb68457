"""SoCo: an online and a target branch that agree on the same object in different views."""

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from soco import torch_compat
from soco.config import DetectorConfig, PretrainConfig, recipe
from soco.pretrain.model.encoder import build_encoder, c2_to_c5, c4_map, channels_of
from soco.pretrain.model.fresh_weights import draw_as_detectron2
from soco.pretrain.model.heads import MLP, ROI_SIDE, BoxHead
from soco.pretrain.model.loss import (
    Vectors,
    collapse_metrics,
    constant_loss,
    redundancy,
    total_loss,
)
from soco.pretrain.model.neck import FPN
from soco.pretrain.model.pooling import (
    BoxSet,
    Maps,
    PoolingPlan,
    describe_assigned,
    describe_on_all_levels,
    levels,
    plan_assigned,
)
from soco.pretrain.model.recompute import Call, plain, recomputed
from soco.pretrain.views.batch import Batch
from soco.seeds import seeded_torch

_MOMENTUM_PARTS = ("encoder", "neck", "head", "projector")  # those that the target has, too

# As in detectron2's C4 models: res5 begins with stride 2, which leaves 7x7.
_C4_ROI_SIDE = 14


@dataclasses.dataclass(frozen=True)
class Branch:
    """The modules of one branch (SoCo section 3).

    A box b of a view V gets h = head(RoIAlign(FPN(ResNet(V)), b)), then v = projector(h), and in
    the online branch v = predictor(projector(h)).

    Without neck and head (C4), boxes are pooled on C4 and described by the ResNet's last stage.

    Attributes:
        encoder: The ResNet.
        neck: The FPN.
        head: The box head.
        mlps: The projector and, in the online branch, the predictor.
        call: Calls a module and keeps its activations, or recomputes them for the gradient.
        with_projections: Whether `describe` also returns the projector's vectors, as more columns.
    """

    encoder: nn.Module
    neck: nn.Module | None
    head: nn.Module | None
    mlps: tuple[nn.Module, ...]
    call: Call = plain
    with_projections: bool = False

    @property
    def roi_side(self) -> int:
        """Width and height of a pooled box."""
        return _C4_ROI_SIDE if self.head is None else ROI_SIDE

    def maps(self, view: Tensor) -> list[Tensor]:
        """Map (B, 3, S, S) to the feature maps on which boxes are pooled, finest first."""
        if self.neck is None:
            return [c4_map(self.encoder, view, self.call)]
        return self.call(self.neck, c2_to_c5(self.encoder, view, self.call))

    def describe(self, rois: Tensor) -> Tensor:
        """Map (R, C, side, side) to vectors, (R, D), or (R, 2 D) `with_projections`."""
        if self.head is None:
            # For a ResNet-50: (R, 1024, 14, 14) to (R, 2048, 7, 7), then averaged.
            for block in self.encoder.layer4:
                rois = self.call(block, rois)
            vectors = rois.mean(dim=(2, 3))
        else:
            vectors = self.call(self.head, rois)
        projector, *predictor = self.mlps
        vectors = projections = projector(vectors)
        for mlp in predictor:
            vectors = mlp(vectors)
        # Side by side: the pooling passes a single tensor on.
        return torch.cat([vectors, projections], dim=1) if self.with_projections else vectors


class Agreement(NamedTuple):
    """The model's output for a batch.

    Attributes:
        loss: From 0 down to -4 for each pair of views.
        constant: The lowest loss of one vector for all boxes, see `constant_loss`.
        spread: Spread of view 1's target vectors; 0 after collapse, see `collapse_metrics`.
        cosine_apart: Mean cosine between their vectors of different images.
        objective: What is minimised: the loss, and with `decorrelation` the weighted `redundancy`.
    """

    loss: Tensor
    constant: Tensor
    spread: Tensor
    cosine_apart: Tensor
    objective: Tensor


class SoCo(nn.Module):
    """SoCo-FPN, SoCo* and SoCo-C4, which differ in their views and modules (SoCo section 3).

    Parameters have the release's names: `encoder`, `neck`, `head`, `projector`, `predictor`, and
    with the suffix `_k` the target's. The target has no gradient and no predictor, as in BYOL.
    """

    def __init__(self, settings: PretrainConfig, detector: DetectorConfig) -> None:
        """Build both branches; the target is initialised as a copy of the online branch.

        Args:
            settings: The recipe.
            detector: The sizes of the modules that detectors fine-tune.
        """
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
        if settings.fresh_weights == "detectron2":
            draw_as_detectron2(self.encoder, self.neck, self.head)
        hidden, outputs = settings.projector_hidden, settings.projector_out
        self.projector = MLP(features, hidden, outputs, normed=settings.projector_norm)
        # Only in the online branch: part of what keeps BYOL, which has no negative pairs, from
        # collapse.
        self.predictor = MLP(outputs, hidden, outputs)
        self.encoder_k, self.neck_k = copy.deepcopy(self.encoder), copy.deepcopy(self.neck)
        self.head_k, self.projector_k = copy.deepcopy(self.head), copy.deepcopy(self.projector)
        for _, target in self._momentum_pairs():
            target.requires_grad_(False)
        # Unbound functions, which `compile_parts` can replace for both branches at once.
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
        projections: list[Vectors] = []
        if self.settings.decorrelation:
            online, projections = _apart(online)
        with weights_cast_once(target for _, target in self._momentum_pairs()):
            target = self._pairs(
                self.target, [self._maps(self.target, view) for view in batch.views], sets, plan
            )
        # View 1 in its first pair: the whole image, which every recipe has.
        first = target[0][0]
        # In float32: a cosine in bf16 has two significant digits.
        with torch.autocast(first.values.device.type, enabled=False):
            loss = objective = total_loss(online, target)
            if projections:
                objective = loss + self.settings.decorrelation * redundancy(projections)
            spread, cosine_apart = collapse_metrics(first.values, first.ids)
            constant = constant_loss(online, target)
            return Agreement(loss, constant, spread, cosine_apart, objective)

    def compile_parts(self) -> None:
        """Compile the parts before and after the pooling; parameters keep their names."""
        self._maps = torch.compile(Branch.maps, dynamic=False)
        self._describe = torch.compile(Branch.describe, dynamic=False)

    @property
    def online(self) -> Branch:
        """The branch that is trained."""
        call = recomputed if self.settings.recompute else plain
        mlps, decorrelates = (self.projector, self.predictor), self.settings.decorrelation > 0
        return Branch(self.encoder, self.neck, self.head, mlps, call, decorrelates)

    @property
    def target(self) -> Branch:
        """The branch whose weights are a moving average of the online branch's."""
        return Branch(self.encoder_k, self.neck_k, self.head_k, (self.projector_k,))

    @torch.no_grad()
    def update_target(self, momentum: float | Tensor) -> None:
        """Update the target by exponential moving average: k = momentum k + (1 - momentum) q.

        As in the release, this comes before the forward pass of a step and updates parameters only:
        the target's batch norms have their own running statistics.

        Args:
            momentum: A number, or a scalar tensor on the model's device.
        """
        online, target = zip(*self._momentum_pairs(), strict=True)
        # lerp: k + (1 - m) (q - k) = m k + (1 - m) q, for all parameters in a few kernels.
        share = 1 - momentum
        torch_compat.lerp_(target, online, share.float() if isinstance(share, Tensor) else share)

    def copy_to_target(self) -> None:
        """Make the target a copy of the online branch, with the statistics of its norms."""
        for online, target in self._momentum_modules():
            target.load_state_dict(online.state_dict())

    def _momentum_pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        """Each online parameter with its counterpart in the target."""
        for online, target in self._momentum_modules():
            yield from zip(online.parameters(), target.parameters(), strict=True)

    def _momentum_modules(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        """Each online module with its counterpart in the target."""
        for name in _MOMENTUM_PARTS:
            online = getattr(self, name)
            if online is not None:
                yield online, getattr(self, f"{name}_k")

    def _pairs(
        self, branch: Branch, maps: Sequence[Maps], sets: list[BoxSet], plan: PoolingPlan | None
    ) -> list[tuple[Vectors, Vectors]]:
        """The vectors of both views of each pair."""
        describe = functools.partial(self._describe, branch)
        if plan is None:
            vectors = describe_on_all_levels(maps, sets, branch.roi_side, describe)
        else:
            vectors = describe_assigned(maps, plan, describe)
        # Sets alternate between view 1 and the other view, see `_box_sets`.
        return list(zip(vectors[::2], vectors[1::2], strict=True))

    def _box_sets(self, batch: Batch) -> list[BoxSet]:
        """Two sets for each pair of views: view 1's and the other view's."""
        sets = []
        for view, pair in enumerate(batch.pairs, start=1):
            sets.append(self._box_set(0, batch.views[0], pair.boxes_1, pair.ids_1))
            sets.append(self._box_set(view, batch.views[view], pair.boxes_v, pair.ids_v))
        return sets

    def _box_set(self, index: int, view: Tensor, boxes: Tensor, ids: Tensor) -> BoxSet:
        if self.neck is None:
            # C4 has a single map: every box is on it, whatever its size.
            return BoxSet(index, boxes, ids, torch.zeros_like(ids))
        return BoxSet(index, boxes, ids, levels(boxes, view.shape[-1], self.settings.level_bounds))


def _apart(
    pairs: list[tuple[Vectors, Vectors]],
) -> tuple[list[tuple[Vectors, Vectors]], list[Vectors]]:
    """Take vectors and projections apart, which a branch `with_projections` returns as one."""
    halves = [
        [Vectors(half, each.ids) for half in each.values.chunk(2, dim=-1)]
        for pair in pairs
        for each in pair
    ]
    vectors = [half[0] for half in halves]
    return list(zip(vectors[::2], vectors[1::2], strict=True)), [half[1] for half in halves]


@contextlib.contextmanager
def weights_cast_once(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Compute without gradients, but let autocast cast each weight only once.

    Autocast caches the casts of parameters that require a gradient, and of no others. So the
    target's parameters require one during the block, which has no other effect within `no_grad`.
    Otherwise they would be cast again for each view.
    """
    parameters = list(parameters)
    with torch.no_grad():
        for parameter in parameters:
            parameter.requires_grad_(True)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)


def build_model(settings: PretrainConfig, detector: DetectorConfig, seed: int) -> SoCo:
    """Make a model with weights initialised from a seed.

    Args:
        settings: The recipe.
        detector: The sizes of the modules that detectors fine-tune.
        seed: The seed of the initialisation.
    """
    with seeded_torch(seed):
        return SoCo(settings, detector)


def model_of_recipe(name: str, seed: int = 0) -> SoCo:
    """Make the model of a recipe, with weights initialised from a seed.

    Args:
        name: As for `soco.config.recipe`: `fpn_100`, `fpn_400`, `star_400`, `c4_100` or
            `c4_400`.
        seed: The seed of the initialisation.

    Raises:
        UserError: There is no such recipe.
    """
    return build_model(*recipe(name), seed=seed)
