"""The frozen ResNet that a probe reads features from."""

import logging
from pathlib import Path

from torch import Tensor, nn

from soco.errors import UserError
from soco.pretrain.model.encoder import build_encoder, c2_to_c5
from soco.seeds import seeded_torch
from soco.transfer.convert.sizes import sizes_of
from soco.transfer.convert.sources import read_source
from soco.transfer.convert.state_dicts import first_names

log = logging.getLogger(__name__)

_OURS = "encoder."


def frozen_backbone(weights: Path | None, backbone: str | None, seed: int) -> tuple[nn.Module, str]:
    """Load a ResNet in eval mode, without gradients.

    Args:
        weights: A file that `load_source` accepts; None draws fresh weights.
        backbone: Its name, such as `resnet50`; None takes the one in the file.
        seed: Seed of fresh weights.

    Returns:
        The ResNet, and its name.

    Raises:
        UserError: The file cannot be read, or its ResNet is incomplete or not `backbone`.
    """
    state: dict[str, Tensor] = {}
    if weights is not None:
        source = read_source(weights)
        state = source.state
        if source.choice():
            log.info("%s: %s", weights, source.choice())
        in_file = sizes_of(state).backbone
        if backbone not in (None, in_file):
            raise UserError(
                "probe.wrong_backbone",
                "{path} has a {found}, but a {backbone} is configured; set detector.backbone or"
                " --backbone to {found}.",
                path=weights,
                found=in_file,
                backbone=backbone,
            )
        backbone = in_file
    name = backbone or "resnet50"
    with seeded_torch(seed):
        encoder = build_encoder(name)
    if weights is not None:
        _load(encoder, state, weights)
    return encoder.eval().requires_grad_(False), name


def _load(encoder: nn.Module, state: dict[str, Tensor], weights: Path) -> None:
    given = {
        name.removeprefix(_OURS): value for name, value in state.items() if name.startswith(_OURS)
    }
    needed = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    # detectron2's files have no batch counters, and eval mode reads none.
    missing = [
        name for name in needed if name not in given and not name.endswith("num_batches_tracked")
    ]
    misfits = [name for name, value in given.items() if value.shape != needed.get(name)]
    if missing or misfits:
        raise UserError(
            "probe.incomplete_resnet",
            "{path} has no complete ResNet: {missing} tensors are missing and {misfits} do not fit"
            " ({names}); give weights that this workflow or the release wrote.",
            path=weights,
            missing=len(missing),
            misfits=len(misfits),
            names=first_names([_OURS + name for name in missing + misfits]),
        )
    encoder.load_state_dict(given, strict=False)


def pooled_c5(encoder: nn.Module, images: Tensor) -> Tensor:
    """C5 averaged over positions, (B, 3, H, W) to (B, C): the input of a ResNet's classifier."""
    return c2_to_c5(encoder, images)[-1].mean(dim=(2, 3))
