"""The recipes of the authors' release by name, for use from Python.

Each is a file of `recipes/`.
"""

from pathlib import Path
from typing import Any

import soco
from soco.config import DetectorConfig, PretrainConfig, check_config, load_config
from soco.errors import UserError

_ROOT = Path(soco.__file__).parent.parent
_PREFIX = "soco_"


def recipe_names() -> tuple[str, ...]:
    """The names of the recipes: `soco_fpn_100` and its like."""
    return tuple(sorted(path.stem for path in (_ROOT / "recipes").glob(f"{_PREFIX}*.yaml")))


def recipe(name: str, **changes: Any) -> tuple[PretrainConfig, DetectorConfig]:
    """The settings of a recipe, with some of them changed.

    Args:
        name: A file of `recipes/` without its suffix, such as `soco_fpn_100`; `fpn_100` is the
            same.
        changes: Keys of a pretraining and their values, as in the file: `batch_size=32, epochs=10`.

    Returns:
        The pretraining's settings, and the sizes of the parts that a detector takes over.

    Raises:
        UserError: There is no such recipe, or a key or value is refused.
    """
    full = name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"
    if full not in recipe_names():
        known = ", ".join(recipe_names()) or f"none, since {_ROOT} is no clone of the project"
        raise UserError(f"There is no recipe '{name}'; the recipes are: {known}.")
    config = load_config(_ROOT / "config.yaml", _ROOT / "recipes" / f"{full}.yaml")
    settings = config.pretrain[full].model_dump(mode="json")
    raw = config.model_dump(mode="json")
    checked = check_config({**raw, "pretrain": {full: {**settings, **changes}}})
    return checked.pretrain[full], checked.detector
