"""What all sections share: types of numbers and names, and the error for an invalid value.

Bounds refuse absurd values, which would end in a traceback or run forever. They allow everything
that some hardware can do.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from soco.errors import UserError


class InvalidValue(UserError, ValueError):
    """A value that a validator of the schema refuses; `config.refused` lists it with the others."""


def _no_truth_value(given: Any) -> Any:
    """Refuse YAML's `yes` and `on`: they are Python's True, which would pass as 1."""
    if isinstance(given, bool):
        raise PydanticCustomError("truth_value", "a number is expected")
    return given


Integer = Annotated[int, BeforeValidator(_no_truth_value)]
Real = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]

Share = Annotated[Real, Field(ge=0.0, le=1.0)]
Positive = Annotated[Real, Field(gt=0.0, le=1e9)]
NotNegative = Annotated[Real, Field(ge=0.0, le=1e9)]
Rate = Annotated[Real, Field(gt=0.0, le=1e6)]
"""A learning rate."""

Count = Annotated[Integer, Field(ge=1, le=10**9)]
CountOrNone = Annotated[Integer, Field(ge=0, le=10**9)]
"""A count; 0 turns something off."""
Pixels = Annotated[Integer, Field(ge=1, le=10_000)]
"""Side of an input image of a model."""
Side = Annotated[Integer, Field(ge=1, le=100_000)]
"""Side of an input image of a detector, or of an anchor."""
Width = Annotated[Integer, Field(ge=1, le=100_000)]
"""Channels or outputs of a layer."""
Batch = Annotated[Integer, Field(ge=1, le=1_000_000)]
Epochs = Annotated[Integer, Field(ge=1, le=1_000_000)]
Processes = Annotated[Integer, Field(ge=1, le=10_000)]
Workers = Annotated[Integer, Field(ge=0, le=1000)]
Seed = Annotated[Integer, Field(ge=0, le=2**32 - 1)]
"""A seed that both NumPy and torch take."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
Architecture = Literal["fpn", "c4"]


class Section(BaseModel):
    """A group of keys; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
