"""Features of one fixed image, which verify that a conversion computes the same as before."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from soco.config import DetectorConfig
from soco.errors import UserError
from soco.pretrain.model.encoder import build_encoder, c2_to_c5, channels_of
from soco.pretrain.model.heads import ROI_SIDE, BoxHead
from soco.pretrain.model.neck import FPN
from soco.transfer.convert.names import KINDS, Kind
from soco.transfer.convert.state_dicts import check_state_dict

TOLERANCE = 1e-5
"""Largest difference between two libraries' features, relative to their largest magnitude."""

Features = dict[str, Tensor]
"""By name: C2 to C5 of the ResNet, P2 to P5 of the FPN, and `head`, the box head's vectors."""

LEVELS = (2, 3, 4, 5)


class ProbeInput(NamedTuple):
    """The input of both models.

    Attributes:
        image: (1, 3, 96, 128) fixed random numbers, in the range of a normalised image.
        rois: (4, C, 7, 7) input of the box head, one for each FPN level; None without an FPN.
    """

    image: Tensor
    rois: Tensor | None


@torch.inference_mode()
def pretrained_features(
    state: Mapping[str, Tensor], detector: DetectorConfig, kind: Kind
) -> tuple[ProbeInput, Features]:
    """Run the online branch on the fixed image, with norms in eval mode.

    Args:
        state: Tensors by our name; those of other parts are ignored.
        detector: Sizes of the parts.
        kind: Which parts to run.

    Raises:
        UserError: A tensor of these parts is missing, unknown, or has another shape.
    """
    with torch.device("meta"):  # draws no weights: `_fill` assigns the given tensors
        encoder = build_encoder(detector.backbone)
        neck = FPN(channels_of(encoder), detector.fpn_channels)
        head = BoxHead(
            detector.fpn_channels, detector.head_channels, detector.head_convs, detector.head_fc
        )
    _fill(encoder, "encoder", state)
    # Multiples of 32, the largest stride; unequal sides, so that a swap of axes shows.
    image = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    features = name_levels("C", c2_to_c5(encoder, image))
    if "neck" not in KINDS[kind]:
        return ProbeInput(image, None), features
    _fill(neck, "neck", state)
    _fill(head, "head", state)
    pyramid = neck([features[f"C{level}"] for level in LEVELS])
    # Pooled maps instead of RoIAlign, whose half-pixel shift differs between libraries.
    # (4, C, 7, 7): one box for each level.
    rois = torch.cat([F.adaptive_avg_pool2d(level, ROI_SIDE) for level in pyramid])
    features |= name_levels("P", pyramid) | {"head": head(rois)}
    return ProbeInput(image, rois), features


def name_levels(letter: str, maps: list[Tensor] | tuple[Tensor, ...]) -> Features:
    """Name the maps of strides 4, 8, 16 and 32, such as C2 to C5."""
    return {f"{letter}{level}": features for level, features in zip(LEVELS, maps, strict=True)}


def relative_differences(ours: Features, theirs: Features) -> dict[str, float]:
    """For each map, the largest absolute difference divided by our largest magnitude."""
    if ours.keys() != theirs.keys():
        raise KeyError(f"cannot compare {sorted(ours)} with {sorted(theirs)}")
    differences = {}
    for name, mine in ours.items():
        largest = (theirs[name] - mine).abs().max().item()
        differences[name] = largest / mine.abs().max().item() if largest else 0.0  # not 0 / 0
    return differences


def check_agreement(library: str, differences: Mapping[str, float]) -> None:
    """Check that all features are finite and differ by at most `TOLERANCE`.

    Raises:
        UserError: Some do not; the message names the maps.
    """
    # Not `value > TOLERANCE`, which is false for NaN.
    wrong = [
        f"{name} by {value:.1e}" for name, value in differences.items() if not value <= TOLERANCE
    ]
    if wrong:
        raise UserError(
            "convert.features_differ",
            "The converted weights compute different features in {library}: relative to the largest"
            " magnitude, {maps} (allowed: {tolerance:.0e}). Nothing was written; check that all"
            " weights are finite.",
            library=library,
            maps=", ".join(wrong),
            tolerance=TOLERANCE,
        )


def _fill(module: nn.Module, part: str, state: Mapping[str, Tensor]) -> None:
    given = {name: value for name, value in state.items() if name.startswith(f"{part}.")}
    needed = {f"{part}.{name}": value for name, value in module.state_dict().items()}
    check_state_dict("the pretraining's model", needed, given)
    own = {name.removeprefix(f"{part}."): value for name, value in given.items()}
    module.load_state_dict(own, assign=True)
    module.eval()
