"""Read a configuration from its files, and validate it against the schema."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from soco.config.inputs import inputs_of
from soco.config.reading import check_entries, read_mapping
from soco.config.refusals import faults_in
from soco.config.schema import NAMED_SECTIONS, Config
from soco.errors import UserError
from soco.snakemake_compat import lay_over

CLONE = Path(__file__).parents[2]
_DEFAULT = "config.yaml"


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
