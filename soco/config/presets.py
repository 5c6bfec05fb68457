"""Named sets of values (`presets.yaml`): recipes of pretraining, protocols of fine-tuning."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from soco.config.reading import read_mapping
from soco.config.section import InvalidValue

_PRESETS: dict[str, dict[str, dict[str, Any]]] = read_mapping(
    Path(__file__).with_name("presets.yaml")
)
RECIPES = _PRESETS["recipes"]
"""Keys of a pretraining and their values, for each recipe that the authors released."""
PROTOCOLS = _PRESETS["protocols"]
"""Keys of a fine-tuning and their values, for each of the paper's protocols."""


def with_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the keys that a pretraining omits from its `recipe`, if it names one.

    Raises:
        InvalidValue: There is no recipe of that name.
    """
    return _filled(settings, "recipe", RECIPES)


def with_protocol(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the keys that a fine-tuning omits from its `protocol`, if it names one.

    Raises:
        InvalidValue: There is no protocol of that name.
    """
    return _filled(settings, "protocol", PROTOCOLS)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like a misspelled one; there must be one."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]


def changed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in which a fine-tuning differs from the protocol that it names, with its own values.

    Args:
        settings: All keys of a fine-tuning, as plain values.
    """
    named = PROTOCOLS.get(settings.get("protocol") or "", {})
    return {key: settings[key] for key, value in named.items() if settings[key] != value}


def _filled(
    settings: Mapping[str, Any], kind: str, presets: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    name = settings.get(kind)
    if not isinstance(name, str):  # null, or a value that the schema refuses
        return dict(settings)
    if name not in presets:
        raise InvalidValue(
            "config.unknown_preset",
            "there is no {kind} '{name}'; did you mean '{nearest}'? Known are {known}",
            kind=kind,
            name=name,
            nearest=nearest(name, presets),
            known=", ".join(presets),
        )
    return {**presets[name], **settings}
