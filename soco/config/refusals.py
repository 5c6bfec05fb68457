"""Explain what the schema refuses: one sentence per fault, in terms of YAML, not of Python."""

import datetime
import difflib
import math
import reprlib
import textwrap
import types
import typing
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from soco.config.schema import Config
from soco.config.section import InvalidValue

_EXPECTED = {
    **dict.fromkeys(
        ("model_type", "dict_type", "model_attributes_type"), "a mapping of keys is expected"
    ),
    **dict.fromkeys(("tuple_type", "list_type"), "a list is expected"),
    "string_type": "text is expected",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number is expected"),
    "int_parsing_size": "the number has too many digits",
    **dict.fromkeys(("float_type", "float_parsing"), "a number is expected"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false is expected"),
    "finite_number": "a finite number is expected",
    "string_pattern_mismatch": (
        "a name consists of letters, digits, _, . and -, and begins with a letter or digit"
    ),
    "string_too_long": "a name has at most 100 characters",
}
"""What is expected, by pydantic's type of error, where its own message is about Python types."""

_RENAMED = {
    "pictures": "images",
    "demo.pictures": "demo.images",
    "quality.pictures": "quality.images",
}
"""Keys of earlier versions, and their current names."""

_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


class _Shown(reprlib.Repr):
    """A value in YAML's spelling, shortened."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 80

    def repr_bool(self, value: bool, level: int) -> str:
        return str(value).lower()

    def repr_NoneType(self, value: None, level: int) -> str:
        return "null"

    def repr_float(self, value: float, level: int) -> str:
        return (
            repr(value)
            if math.isfinite(value)
            else f"{value:+}".replace("+", "").replace("inf", ".inf").replace("nan", ".nan")
        )

    def repr_date(self, value: datetime.date, level: int) -> str:
        return value.isoformat()

    repr_datetime = repr_date


class Fault(NamedTuple):
    """One fault of a configuration.

    Attributes:
        code: The code of an `InvalidValue`, or `config.` and pydantic's type of error.
        place: The key with its parents, such as `filter.min_side`; empty for the whole.
        sentence: What is wrong and what to do.
    """

    code: str
    place: str
    sentence: str


class Faults(tuple[Fault, ...]):
    """All faults of a configuration; as text, their sentences."""

    def __str__(self) -> str:
        return " ".join(fault.sentence for fault in self)


def faults_in(error: ValidationError) -> Faults:
    """Everything that is wrong with a configuration."""
    return Faults(map(_fault, error.errors()))


def _fault(details: Any) -> Fault:
    # For a refused name, pydantic appends "[key]" to the place.
    parts = [part for part in details["loc"] if part != "[key]"]
    place = ".".join(textwrap.shorten(str(part), 60, placeholder="...") for part in parts)
    if details["type"] == "value_error":
        error: InvalidValue = details["ctx"]["error"]
        return Fault(error.code, place, f"{f'in {place}: ' if place else ''}{error}.")
    return Fault(f"config.{details['type']}", place, _sentence(details, place))


def _sentence(details: Any, place: str) -> str:
    if details["type"] == "extra_forbidden":
        if place in _RENAMED:
            return f"the key '{place}' is now called '{_RENAMED[place]}'."
        *parents, key = details["loc"]
        near = difflib.get_close_matches(str(key), _known_keys(parents), n=1, cutoff=0.0)
        return f"there is no key '{place}'" + (f"; did you mean '{near[0]}'?" if near else ".")
    if details["type"] == "missing":
        return f"the key '{place}' is missing."
    shown, hint = _Shown().repr(details["input"]), _hint(details["type"], details["input"])
    return f"'{place}' is {shown}: {_expected(details)}{hint}."


def _expected(details: Any) -> str:
    kind, message = details["type"], str(details["msg"])
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"it must be {words} {details['ctx'][key]:,}"
    if kind.startswith("path_"):  # soco.config.paths
        return message
    return _EXPECTED.get(kind, f"{message[0].lower()}{message[1:]}".replace("tuple", "list"))


def _hint(kind: str, given: Any) -> str:
    """A hint where YAML probably read something other than what was meant."""
    if kind == "literal_error" and given == "pictures":  # `images.watch` of earlier versions
        return "; it is now called 'images'"
    if isinstance(given, bool) and kind in ("string_type", "truth_value", "literal_error"):
        reading = "; YAML reads yes and on as true, no and off as false"
        return reading if kind == "truth_value" else f"{reading}, so put text in quotes"
    if kind == "string_type" and isinstance(given, int | float):
        return "; put it in quotes"
    if kind == "int_parsing" and (number := _whole_number(given)) is not None:
        return f"; write {number}"
    return ""


def _whole_number(text: str) -> int | None:
    """The number that a text such as 1e5 means, which YAML 1.1 reads as text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else None


def _known_keys(parents: Iterable[str | int]) -> list[str]:
    annotation: Any = Config
    for part in parents:
        annotation = _annotation_of(annotation, part)
    return list(annotation.model_fields) if is_section(annotation) else []


def _annotation_of(annotation: Any, part: str | int) -> Any:
    """The annotation of one part of a value that has this annotation."""
    if is_section(annotation):
        annotation = annotation.model_fields[str(part)].annotation
    elif typing.get_origin(annotation) is dict:
        annotation = typing.get_args(annotation)[1]
    else:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not type(None))
    return annotation


def is_section(annotation: Any) -> bool:
    """Whether an annotation is one of the schema's sections."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
