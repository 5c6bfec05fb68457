"""Which key of the configuration affects the result of which stage.

The answer is written once, on the field: `json_schema_extra=RUNTIME_ONLY` or `affects(...)`. Rules
take their params from it, checkpoints their identity, and reports what they may compare.
"""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.config import JsonDict

Stage = Literal["pretrain", "finetune_weights", "finetune", "evaluate", "probe"]
"""`finetune` is all that a fine-tuning writes; `finetune_weights` is the detector alone."""

_MARK = "affects"


def affects(*stages: Stage) -> JsonDict:
    """Mark a field whose key affects the results of these stages only; without a mark it affects all."""
    return {_MARK: list(stages)}


RUNTIME_ONLY = affects()
"""Marks a key that changes how a stage runs, not what it computes (beyond rounding).

A change of it repeats no job and keeps every checkpoint valid.
"""


def keys_affecting(section: type[BaseModel], stage: Stage) -> tuple[str, ...]:
    """The keys of a section that affect a stage's result, in the section's order."""
    return tuple(name for name in section.model_fields if stage in _stages_of(section, name, stage))


def runtime_keys(section: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a section that affect no result."""
    return tuple(name for name in section.model_fields if not _stages_of(section, name, "evaluate"))


def identity(section: BaseModel, stage: Stage) -> dict[str, Any]:
    """What decides a stage's result, of one section.

    Args:
        section: The section, such as `config.pretrain["soco"]`.
        stage: The stage.

    Returns:
        The section's keys that affect the result and their values, ready for JSON.
    """
    return section.model_dump(mode="json", include=set(keys_affecting(type(section), stage)))


def _stages_of(section: type[BaseModel], name: str, default: Stage) -> list[Any]:
    extra = section.model_fields[name].json_schema_extra
    stages = extra.get(_MARK) if isinstance(extra, dict) else None
    return [default] if stages is None else list(stages)  # type: ignore[arg-type]
