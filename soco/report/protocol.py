"""The protocol of a fine-tuning in words."""

from collections.abc import Mapping, Sequence
from typing import Any

_TOLD = 4
_APART = ("name", "changed", "seed")


def seed_words(seeds: Sequence[int]) -> str:
    """`seed 1`, or `3 seeds: 1, 2, 3`."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    return f"{len(seeds)} seeds: {', '.join(map(str, seeds))}"


def named_words(protocol: Mapping[str, Any]) -> str:
    """Which named protocol was followed, and what was changed from it.

    More than four keys are only counted.
    """
    name, changed = protocol.get("name"), protocol.get("changed") or {}
    if not name:
        return "no named protocol"
    if not changed:
        return f"{name}, unchanged"
    if len(changed) > _TOLD:
        return f"{name}, but {len(changed)} keys changed, which stand below"
    return f"{name}, changed: " + ", ".join(
        f"{key} {value_words(value)}" for key, value in changed.items()
    )


def setting_words(protocol: Mapping[str, Any]) -> str:
    """What decides the figures most, in one line."""
    found = protocol.get
    parts = [
        (
            f"{value_words(found('architecture'))}, {value_words(found('head'))},"
            f" {value_words(found('norm'))}"
        ),
        (
            f"{value_words(found('iterations'))} iterations of {value_words(found('batch_size'))}"
            " images"
        ),
        f"lr {value_words(found('base_lr'))}, weight decay {value_words(found('weight_decay'))}",
        f"at most {value_words(found('detections_per_image'))} detections an image",
        f"detectron2 {found('detectron2') or 'unknown'}",
    ]
    return "; ".join(parts)


def value_words(value: Any) -> str:
    """A setting as a reader writes it: thin thousands, lists with commas, `–` for none."""
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
    """Every key of the protocols of a task.

    Args:
        summary: The task's, of the report's content.

    Returns:
        `columns`, the labels of the initialisations, or one column for all where their protocols
        are the same; `rows`, for each key its name and for each column the `value` in words and
        whether it is `changed` from the named one.
    """
    protocols = [entry["protocol"] for entry in summary]
    alike = all(protocol == protocols[0] for protocol in protocols)
    columns = ["all"] if alike else [entry["label"] for entry in summary]
    shown = protocols[:1] if alike else protocols
    keys = dict.fromkeys(
        key for held in shown for key in [*held, *(held.get("changed") or {})] if key not in _APART
    )
    return {
        "columns": columns,
        "rows": [{"key": key, "cells": [_cell(held, key) for held in shown]} for key in keys],
    }


def _cell(protocol: Mapping[str, Any], key: str) -> dict[str, Any]:
    changed = protocol.get("changed") or {}
    return {"value": value_words(protocol.get(key, changed.get(key))), "changed": key in changed}
