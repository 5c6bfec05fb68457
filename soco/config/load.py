"""Read a configuration file and refuse what the schema does not know, in one sentence an error."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from snakemake.utils import update_config

from soco.config.inputs import inputs_of
from soco.config.reading import read_mapping
from soco.config.refusals import refusal
from soco.config.schema import Config
from soco.errors import UserError


def load_config(*paths: str | Path) -> Config:
    """Read one configuration file, or a file and the overlays that change it.

    As Snakemake does it, overlays are laid over each other first, and then over the file: what one
    of them takes out by null, and a later one names again, has the file's keys once more.

    Args:
        paths: YAML files; a later one's keys replace an earlier one's, mappings key by key.

    Raises:
        UserError: A file is missing or no mapping, gives a key twice, or a key or value is refused.
    """
    base, *overlays = [read_mapping(path) for path in paths]
    config: dict[str, Any] = {}
    laid_over: dict[str, Any] = {}
    for overlay in overlays:
        update_config(laid_over, overlay)
    for part in (base, laid_over):
        update_config(config, part)
    return check_config(config)


def check_config(raw: dict[str, Any]) -> Config:
    """Turn a nested mapping into a `Config`; an entry of null among named ones is dropped.

    Raises:
        UserError: A key is unknown (the nearest known key is named) or a value is refused; all
            faults are listed.
    """
    try:
        config = Config.model_validate(_without_removed(raw))
    except ValidationError as error:
        raise UserError(refusal(error)) from None
    for it in inputs_of(config):
        if set("{}") & set(it.path):
            raise UserError(
                f"The configuration is refused: '{it.key}' is '{it.path}': Snakemake takes {{ and"
                " } as placeholders; rename the file or folder, or link to it by another name."
            )
    return config


def _without_removed(raw: dict[str, Any]) -> dict[str, Any]:
    named = {"pretrain", "weights", "datasets", "finetune", "probes"}
    return {
        key: {name: entry for name, entry in value.items() if entry is not None}
        if key in named and isinstance(value, dict)
        else value
        for key, value in raw.items()
    }
