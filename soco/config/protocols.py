"""The paper's fine-tuning protocols by name; `protocols.yaml` holds their values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soco.config.reading import read_mapping

PROTOCOLS: dict[str, dict[str, Any]] = read_mapping(Path(__file__).with_name("protocols.yaml"))
"""Keys of a fine-tuning and their values, for each protocol."""


def filled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A fine-tuning's keys, those that it leaves out taken from the protocol that it names, if it
    names one.

    Raises:
        ValueError: There is no protocol of that name.
    """
    name = settings.get("protocol")
    if not isinstance(name, str):  # none, or what the schema refuses
        return dict(settings)
    if name not in PROTOCOLS:
        raise ValueError(f"there is no protocol '{name}'; the protocols are {', '.join(PROTOCOLS)}")
    return {**PROTOCOLS[name], **settings}


def changed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in which a fine-tuning departs from the protocol that it names, with its own values.

    Args:
        settings: All keys of a fine-tuning, as plain values.
    """
    named = PROTOCOLS.get(settings.get("protocol") or "", {})
    return {key: settings[key] for key, value in named.items() if settings[key] != value}
