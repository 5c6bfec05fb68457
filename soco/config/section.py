"""What every group of keys has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of keys; refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
