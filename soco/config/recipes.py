"""The recipes that the authors released, for use from Python."""

from typing import Any

from soco.config.load import check_config
from soco.config.presets import RECIPES, nearest
from soco.config.pretrain import PretrainConfig
from soco.config.schema import DetectorConfig
from soco.errors import UserError

_PREFIX = "soco_"


def recipe(name: str, **changes: Any) -> tuple[PretrainConfig, DetectorConfig]:
    """Return the settings of a recipe, with some changes.

    Args:
        name: A recipe, such as `soco_fpn_100`; `fpn_100` is the same one.
        changes: Keys of a pretraining and their values: `batch_size=32, epochs=10`.

    Returns:
        The settings of the pretraining, and the sizes of the modules shared with detectors.

    Raises:
        UserError: There is no such recipe, or a key or value is refused.
    """
    full = name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"
    if full not in RECIPES:
        raise UserError(
            "config.unknown_recipe",
            "There is no recipe '{name}'; did you mean '{nearest}'? The recipes are {known}.",
            name=name,
            nearest=nearest(full, RECIPES),
            known=", ".join(RECIPES),
        )
    checked = check_config(
        {"images": {"path": "images"}, "pretrain": {full: {"recipe": full, **changes}}}
    )
    return checked.pretrain[full], checked.detector
