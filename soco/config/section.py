"""What the groups of keys have in common."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Architecture = Literal["fpn", "c4"]


class Section(BaseModel):
    """A group of keys; refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
