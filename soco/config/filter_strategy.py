"""A filter strategy, written as a name or as three numbers."""

import re
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from soco.config.section import InvalidValue, Real, Section, Share
from soco.errors import UserError

# `none`, a ratio, a size, or both. A size is in tenths (`sizeMM`, `sizeMMNN`) or in shares
# (`sizeA-B`, `sizeA-`).
_SHARE = r"(?:0(?:\.\d+)?|1)"
_TENTHS = r"(?P<low_tenths>0\d|10)(?P<high_tenths>0\d|10)?"
_NAME = re.compile(
    rf"none|(?=.)(?:ratio(?P<ratio>[1-9]\d*(?:\.\d+)?))?"
    rf"(?:size(?:{_TENTHS}|(?!-$)(?P<low>{_SHARE})?-(?P<high>{_SHARE})?))?"
)

Ratio = Annotated[Real, Field(ge=1.0, le=1e6)]


class Strategy(Section):
    """Which regions are kept, by shape and by size relative to the image; null sets no limit.

    Given as these numbers or as a name; stores and reports always have the `name`.
    """

    ratio: Ratio | None = Field(
        None, description="Largest width over height, and height over width."
    )
    low: Share | None = Field(
        None, description="Smallest sqrt(w h) as a share of sqrt(image width x height)."
    )
    high: Share | None = Field(None, description="Largest such share.")

    @classmethod
    def parse(cls, name: str) -> "Strategy":
        """Read the name of a strategy.

        Args:
            name: `none`, `ratioR`, `sizeMM`, `sizeMMNN` (tenths), `sizeA-B`, or ratio and size.

        Raises:
            UserError: The name is none of these.
        """
        try:
            return cls.model_validate(name)
        except ValidationError:
            raise UserError(
                "config.unknown_strategy",
                "There is no filter strategy '{name}'; give none, ratio3, size0308 or"
                " ratio3size0308.",
                name=name,
            ) from None

    @property
    def name(self) -> str:
        """The name of the strategy in stores and reports; `parse` reads it."""
        ratio = "" if self.ratio is None else f"ratio{_decimal(self.ratio)}"
        return ratio + self._size() or "none"

    def _size(self) -> str:
        if self.low is None and self.high is None:
            return ""
        low, high = (None if share is None else _tenths(share) for share in (self.low, self.high))
        if low is not None and (high is not None or self.high is None):
            return f"size{low}{high or ''}"
        low, high = ("" if share is None else _decimal(share) for share in (self.low, self.high))
        return f"size{low}-{high}"

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        numbers = _numbers(given)
        if numbers is None:
            raise PydanticCustomError(
                "strategy", "not a filter strategy; give none, ratio3, size0308 or ratio3size0308"
            )
        return numbers

    @model_validator(mode="after")
    def _low_is_lower(self) -> "Strategy":
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidValue(
                "config.low_above_high",
                "a filter strategy needs low <= high, but low is {low:g} and high is {high:g}",
                low=self.low,
                high=self.high,
            )
        return self

    @model_serializer
    def _as_name(self) -> str:
        return self.name


def _numbers(name: str) -> dict[str, float] | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    given = {key: float(value) for key, value in match.groupdict().items() if value is not None}
    return {
        key.removesuffix("_tenths"): value / 10 if key.endswith("_tenths") else value
        for key, value in given.items()
    }


def _decimal(value: float) -> str:
    return np.format_float_positional(value, trim="-")


def _tenths(share: float) -> str | None:
    """The share in tenths, as two digits; None if it is not a whole number of tenths."""
    tenths = round(share * 10)
    return f"{tenths:02d}" if tenths / 10 == share else None
