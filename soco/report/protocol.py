"""The protocol of a fine-tuning in words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

_MOST_CHANGES = 4
_LEFT_OUT = ("name", "changed", "seed")
_SETTINGS = (
    "{architecture}, {head}, {norm}; {iterations} iterations of {batch_size} images;"
    " lr {base_lr}, weight decay {weight_decay};"
    " at most {detections_per_image} detections per image; detectron2 {detectron2}"
)


def seed_words(seeds: Sequence[int]) -> str:
    """`seed 1`, or `3 seeds: 1, 2, 3`."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    return f"{len(seeds)} seeds: {', '.join(map(str, seeds))}"


def named_words(protocol: Mapping[str, Any]) -> str:
    """The named protocol and what was changed from it; more than four changes are counted only."""
    name, changed = protocol.get("name"), protocol.get("changed") or {}
    if not name:
        return "no named protocol"
    if not changed:
        return f"{name}, unchanged"
    if len(changed) > _MOST_CHANGES:
        return f"{name}, but with {len(changed)} keys changed, see below"
    changes = (f"{key} {value_words(value)}" for key, value in changed.items())
    return f"{name}, changed: {', '.join(changes)}"


def setting_words(protocol: Mapping[str, Any]) -> str:
    """The settings that affect AP most, in one line."""
    words: defaultdict[str, str] = defaultdict(lambda: value_words(None))
    words |= {key: value_words(value) for key, value in protocol.items()}
    words["detectron2"] = protocol.get("detectron2") or "unknown"
    return _SETTINGS.format_map(words)


def value_words(value: Any) -> str:
    """A setting as it is read: thin spaces between thousands, lists with commas, `–` for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(value_words, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return f"{value:g}" if isinstance(value, float) else str(value)


def protocol_table(summary: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every key of a task's protocols.

    Args:
        summary: The task's summary in report.json.

    Returns:
        `columns`, the labels of the initialisations, or `all` if their protocols are equal; `rows`,
        for each key its name and for each column the `value` in words and whether it is `changed`
        from the named protocol.
    """
    protocols = [entry["protocol"] for entry in summary]
    columns = [entry["label"] for entry in summary]
    if all(protocol == protocols[0] for protocol in protocols):
        protocols, columns = protocols[:1], ["all"]
    keys = dict.fromkeys(
        key
        for protocol in protocols
        for key in [*protocol, *(protocol.get("changed") or {})]
        if key not in _LEFT_OUT
    )
    rows = [{"key": key, "cells": [_cell(each, key) for each in protocols]} for key in keys]
    return {"columns": columns, "rows": rows}


def _cell(protocol: Mapping[str, Any], key: str) -> dict[str, Any]:
    changed = protocol.get("changed") or {}
    return {"value": value_words(protocol.get(key, changed.get(key))), "changed": key in changed}
