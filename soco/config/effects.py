"""Which configuration keys affect the results of which stages.

This is declared once, on the field, by `json_schema_extra=RUNTIME_ONLY` or `affects(...)`. The
params of rules, the identity of checkpoints and the comparison of reports are derived from it.
"""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.config import JsonDict

Stage = Literal["pretrain", "finetune_weights", "finetune", "evaluate", "probe"]
"""`finetune` covers everything that a fine-tuning writes, `finetune_weights` only the detector."""

_MARK = "affects"


def affects(*stages: Stage) -> JsonDict:
    """Mark a key that affects only these stages; a key without a mark affects all stages."""
    return {_MARK: list(stages)}


RUNTIME_ONLY = affects()
"""Marks a key that changes how a stage runs, not what it computes (beyond rounding).

Changing it reruns no job and keeps every checkpoint valid.
"""


def keys_affecting(section: type[BaseModel], stage: Stage) -> tuple[str, ...]:
    """The keys of a section that affect a stage's result, in the section's order."""
    marks = _marks(section)
    return tuple(key for key, mark in marks.items() if mark is None or stage in mark)


def runtime_keys(section: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a section that affect no result."""
    return tuple(key for key, mark in _marks(section).items() if mark == [])


def identity(section: BaseModel, stage: Stage) -> dict[str, Any]:
    """Return the settings of a section that determine a stage's result.

    Args:
        section: The section, such as `config.pretrain["soco"]`.
        stage: The stage.

    Returns:
        The section's keys that affect the result and their values, ready for JSON.
    """
    return section.model_dump(mode="json", include=set(keys_affecting(type(section), stage)))


def _marks(section: type[BaseModel]) -> dict[str, Any]:
    extras = {key: field.json_schema_extra for key, field in section.model_fields.items()}
    return {
        key: extra.get(_MARK) if isinstance(extra, dict) else None for key, extra in extras.items()
    }
