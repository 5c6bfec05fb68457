"""Read a configuration file and refuse what the schema does not know, in one sentence an error."""

import difflib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from soco.config.schema import Config
from soco.errors import UserError


def load_config(*paths: str | Path) -> Config:
    """Read one configuration file, or a file and the overlays that change it.

    As Snakemake does it, overlays are laid over each other first, and then over the file: what one of them takes out by
    null, and a later one names again, has the file's keys once more.

    Args:
        paths: YAML files; a later one's keys replace an earlier one's, mappings key by key.

    Raises:
        UserError: A file is missing or no mapping, or a key or value is refused.
    """
    base, *overlays = [_read(path) for path in paths]
    laid_over: dict[str, Any] = {}
    for overlay in overlays:
        _overlay(laid_over, overlay)
    _overlay(base, laid_over)
    return check_config(base)


def _read(path: str | Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"There is no configuration file {path}; give a YAML file such as config.yaml.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text; give a YAML file such as config.yaml.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{path} holds no mapping of keys; see config.yaml for the keys it may hold.")
    return loaded


def check_config(raw: dict[str, Any]) -> Config:
    """Turn a nested mapping into a `Config`; an entry of null among named ones is dropped.

    Raises:
        UserError: A key is unknown (the nearest known key is named) or a value is refused; all faults are listed.
    """
    try:
        return Config.model_validate(_without_removed(raw))
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors()]
        raise UserError("The configuration is refused: " + " ".join(faults)) from None


def _overlay(base: dict[str, Any], change: dict[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = value


def _without_removed(raw: dict[str, Any]) -> dict[str, Any]:
    named = {"pretrain", "weights", "datasets", "finetune", "probes"}
    return {
        key: {name: entry for name, entry in value.items() if entry is not None}
        if key in named and isinstance(value, dict)
        else value
        for key, value in raw.items()
    }


def _sentence(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        *parents, key = fault["loc"]
        near = difflib.get_close_matches(str(key), _known_keys(parents), n=1, cutoff=0.0)
        return f"there is no key '{place}'" + (f"; did you mean '{near[0]}'?" if near else ".")
    if fault["type"] == "missing":
        return f"the key '{place}' is missing."
    if fault["type"] == "value_error":
        return f"{fault['msg'].removeprefix('Value error, ')}."
    return f"'{place}' is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _known_keys(parents: Iterable[str | int]) -> list[str]:
    annotation: Any = Config
    for part in parents:
        annotation = _held(annotation, part)
    return list(annotation.model_fields) if is_section(annotation) else []


def _held(annotation: Any, part: str | int) -> Any:
    """The annotation of what stands under `part` in a value annotated so."""
    if is_section(annotation):
        annotation = annotation.model_fields[str(part)].annotation
    elif typing.get_origin(annotation) is dict:
        annotation = typing.get_args(annotation)[1]
    else:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, types.UnionType):
        annotation = next(held for held in typing.get_args(annotation) if held is not type(None))
    return annotation


def is_section(annotation: Any) -> bool:
    """Whether an annotation is one of the schema's sections."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
