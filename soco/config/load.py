"""Read a configuration from its files, and validate it against the schema."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from soco.config.inputs import inputs_of
from soco.config.presets import RECIPES, nearest
from soco.config.pretrain import PretrainConfig
from soco.config.reading import check_entries, read_mapping
from soco.config.refusals import faults_in
from soco.config.schema import NAMED_SECTIONS, Config, DetectorConfig
from soco.errors import UserError
from soco.snakemake_compat import lay_over

CLONE = Path(__file__).parents[2]
_DEFAULT = "config.yaml"
_RECIPE_PREFIX = "soco_"


def load_config(*paths: str | Path) -> Config:
    """Read a configuration as the workflow does.

    The schema's defaults are the base. Each file overrides those before it, mappings key by key.

    Args:
        paths: YAML files, as `--configfile` takes them; none: the default file.

    Raises:
        UserError: A file is missing or not a mapping, gives a key twice, or a key or value is
            refused.
    """
    config: dict[str, Any] = {}
    for path in paths or (default_file(CLONE),):
        lay_over(config, read_mapping(path))
    return check_config(config)


def default_file(clone: Path) -> Path:
    """The file to read if none is given: `config.yaml` of the working folder, else of the clone.

    Args:
        clone: The folder of the Snakefile.
    """
    own = Path(_DEFAULT).absolute()
    return own if own.is_symlink() or own.exists() else clone / _DEFAULT


def check_files(files: Iterable[Path], entries: Iterable[str] | None) -> None:
    """Check the files that Snakemake is about to read, more strictly than Snakemake does.

    Args:
        files: The files.
        entries: The entries of Snakemake's `--config`, KEY=VALUE each.

    Raises:
        UserError: A file is missing or not a mapping, or a key is given twice.
    """
    for path in files:
        read_mapping(path)
    check_entries(entries)


def check_config(raw: dict[str, Any]) -> Config:
    """Validate a nested mapping as a `Config`; named entries that are null are removed.

    Raises:
        UserError: A key is unknown (the nearest known key is named) or a value is refused; all
            faults are listed.
    """
    try:
        config = Config.model_validate(_without_removed(raw))
    except ValidationError as error:
        raise UserError(
            "config.refused", "The configuration is refused: {faults}", faults=faults_in(error)
        ) from None
    for given in inputs_of(config):
        if set("{}") & set(given.path):
            raise UserError(
                "config.path_with_braces",
                "The configuration is refused: '{key}' is '{path}': Snakemake takes {{ and }} as"
                " placeholders; rename the file or folder, or link to it by another name.",
                key=given.key,
                path=given.path,
            )
    return config


def _without_removed(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: entry for name, entry in value.items() if entry is not None}
        if key in NAMED_SECTIONS and isinstance(value, dict)
        else value
        for key, value in raw.items()
    }


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
    full = name if name.startswith(_RECIPE_PREFIX) else f"{_RECIPE_PREFIX}{name}"
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
