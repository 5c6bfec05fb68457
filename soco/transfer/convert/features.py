"""What the pretrained parts compute on one image: the measure of every conversion."""

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
"""Largest difference between two libraries' features, as a part of the features' largest magnitude."""

Features = dict[str, Tensor]
"""By name: C2 to C5 of the ResNet, P2 to P5 of the FPN, and `head`, the box head's vectors."""

LEVELS = (2, 3, 4, 5)


class Probe(NamedTuple):
    """What both sides are given.

    Attributes:
        image: (1, 3, 96, 128) numbers as of a normalised image, always the same.
        rois: (4, C, 7, 7) for the box head, one of each FPN level; None without an FPN.
    """

    image: Tensor
    rois: Tensor | None


@torch.inference_mode()
def pretrained_features(
    state: Mapping[str, Tensor], detector: DetectorConfig, kind: Kind
) -> tuple[Probe, Features]:
    """Run the online branch, norms in eval mode, on the probe's image.

    Args:
        state: Tensors by our name; those of other parts are passed over.
        detector: Sizes of the parts.
        kind: Which parts are run.

    Raises:
        UserError: A tensor of these parts is missing, has another shape, or is unknown.
    """
    with torch.device("meta"):  # nothing is drawn: the weights take the place of what stands there
        encoder = build_encoder(detector.backbone)
        neck = FPN(channels_of(encoder), detector.fpn_channels)
        head = BoxHead(
            detector.fpn_channels, detector.head_channels, detector.head_convs, detector.head_fc
        )
    _fill(encoder, "encoder", state)
    image = _image()
    features = named("C", c2_to_c5(encoder, image))
    if "neck" not in KINDS[kind]:
        return Probe(image, None), features
    _fill(neck, "neck", state)
    _fill(head, "head", state)
    pyramid = neck([features[f"C{level}"] for level in LEVELS])
    rois = torch.cat([F.adaptive_avg_pool2d(features, ROI_SIDE) for features in pyramid])
    return Probe(image, rois), features | named("P", pyramid) | {"head": head(rois)}


def named(letter: str, maps: list[Tensor] | tuple[Tensor, ...]) -> Features:
    """Maps at strides 4, 8, 16 and 32, by name."""
    return {f"{letter}{level}": features for level, features in zip(LEVELS, maps, strict=True)}


def differences(ours: Features, theirs: Features) -> dict[str, float]:
    """For each map, the largest difference of a number, divided by the largest magnitude of ours."""
    if ours.keys() != theirs.keys():
        raise KeyError(f"{sorted(ours)} are to be compared with {sorted(theirs)}")
    found = {}
    for name, mine in ours.items():
        apart, magnitude = (theirs[name] - mine).abs().max().item(), mine.abs().max().item()
        found[name] = apart / magnitude if apart else 0.0
    return found


def see_that_they_agree(library: str, found: Mapping[str, float]) -> None:
    """Refuse a conversion whose features differ by more than `TOLERANCE`, or are no numbers.

    Raises:
        UserError: It names the maps.
    """
    wrong = [f"{name} by {value:.1e}" for name, value in found.items() if not value <= TOLERANCE]
    if wrong:
        raise UserError(
            f"In {library} the converted weights compute other features than here: of their largest"
            f" magnitude, {', '.join(wrong)}, where {TOLERANCE:.0e} is allowed; nothing was"
            " written. See whether all weights are finite."
        )


def _image() -> Tensor:
    return torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))


def _fill(module: nn.Module, part: str, state: Mapping[str, Tensor]) -> None:
    given = {name: value for name, value in state.items() if name.startswith(f"{part}.")}
    check_state_dict(
        "the pretraining's model",
        {f"{part}.{name}": held for name, held in module.state_dict().items()},
        given,
    )
    module.load_state_dict(
        {name.removeprefix(f"{part}."): held for name, held in given.items()}, assign=True
    )
    module.eval()
