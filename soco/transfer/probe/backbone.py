"""The frozen ResNet of an initialisation."""

import logging
from pathlib import Path

from torch import Tensor, nn

from soco.errors import UserError
from soco.pretrain.model.encoder import build_encoder, c2_to_c5
from soco.seeds import seeded_torch
from soco.transfer.convert.sizes import sizes_of
from soco.transfer.convert.sources import read_source
from soco.transfer.convert.state_dicts import some_of

log = logging.getLogger(__name__)

_OURS = "encoder."


def frozen_backbone(weights: Path | None, backbone: str | None, seed: int) -> tuple[nn.Module, str]:
    """Make the ResNet in eval mode, without gradients.

    Args:
        weights: A file as `load_source` takes it; None draws fresh weights from the seed.
        backbone: Its name, such as `resnet50`; None takes the one that the file holds.
        seed: Fresh weights follow from it.

    Returns:
        The ResNet, and its name.

    Raises:
        UserError: The file cannot be read, holds no whole ResNet, or another one than `backbone`.
    """
    state: dict[str, Tensor] = {}
    if weights is not None:
        source = read_source(weights)
        state = source.state
        if source.told():
            log.info("of %s: %s", weights, source.told())
        held = sizes_of(state).backbone
        if backbone not in (None, held):
            raise UserError(
                f"{weights} holds a {held}, and a {backbone} is asked for; set detector.backbone or"
                " --backbone to it."
            )
        backbone = held
    name = backbone or "resnet50"
    with seeded_torch(seed):
        encoder = build_encoder(name)
    if weights is not None:
        _load(encoder, state, weights)
    return encoder.eval().requires_grad_(False), name


def _load(encoder: nn.Module, state: dict[str, Tensor], weights: Path) -> None:
    held = {
        name.removeprefix(_OURS): value for name, value in state.items() if name.startswith(_OURS)
    }
    wanted = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    # detectron2's files have no counters, and eval mode reads none.
    missing = [
        name for name in wanted if name not in held and not name.endswith("num_batches_tracked")
    ]
    unfit = [name for name, value in held.items() if value.shape != wanted.get(name)]
    if missing or unfit:
        raise UserError(
            f"{weights} holds no whole ResNet: {len(missing)} tensors are missing and {len(unfit)}"
            f" do not fit ({some_of([_OURS + name for name in missing + unfit])}); give weights"
            " that this workflow or the release wrote."
        )
    encoder.load_state_dict(held, strict=False)


def pooled_c5(encoder: nn.Module, images: Tensor) -> Tensor:
    """(B, 3, H, W) to the mean of C5 over all places, (B, C).

    What a ResNet's own classifier reads.
    """
    return c2_to_c5(encoder, images)[-1].mean(dim=(2, 3))
