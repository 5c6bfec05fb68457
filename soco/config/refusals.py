"""Say what the schema refuses: a sentence a fault, in the words of YAML and not of Python."""

import datetime
import difflib
import math
import reprlib
import textwrap
import types
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from soco.config.schema import Config

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
        "a name holds letters, digits, _, . and -, and begins with a letter or digit"
    ),
    "string_too_long": "a name has at most 100 characters",
}
"""What is expected, by pydantic's kinds of fault, where its own words are of Python."""


_RENAMED = {
    "pictures": "images",
    "demo.pictures": "demo.images",
    "demo.picture_side": "demo.image_side",
    "quality.pictures": "quality.images",
}
"""Keys of earlier versions, and what they are called now."""

_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


class _Shown(reprlib.Repr):
    """A value as YAML spells it, and no more of it than is needed to find it."""

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


def refusal(error: ValidationError) -> str:
    """All that is wrong with a configuration, in a sentence each."""
    return "The configuration is refused: " + " ".join(_sentence(fault) for fault in error.errors())


def _sentence(fault: Any) -> str:
    # pydantic puts the mark [key] behind a name that it refuses
    place = ".".join(
        textwrap.shorten(str(part), 60, placeholder="...")
        for part in fault["loc"]
        if part != "[key]"
    )
    if fault["type"] == "extra_forbidden":
        if place in _RENAMED:
            return f"the key '{place}' is now called '{_RENAMED[place]}'."
        *parents, key = fault["loc"]
        near = difflib.get_close_matches(str(key), _known_keys(parents), n=1, cutoff=0.0)
        return f"there is no key '{place}'" + (f"; did you mean '{near[0]}'?" if near else ".")
    if fault["type"] == "missing":
        return f"the key '{place}' is missing."
    if fault["type"] == "value_error":
        return f"{fault['msg'].removeprefix('Value error, ')}."
    return (
        f"'{place}' is {_Shown().repr(fault['input'])}:"
        f" {_expected(fault)}{_hint(fault['type'], fault['input'])}."
    )


def _expected(fault: Any) -> str:
    if fault["type"] in _BOUNDS:
        words, key = _BOUNDS[fault["type"]]
        return f"it must be {words} {fault['ctx'][key]:,}"
    if fault["type"] == "path":  # soco.config.paths
        return str(fault["msg"])
    return _EXPECTED.get(
        fault["type"], f"{fault['msg'][0].lower()}{fault['msg'][1:]}".replace("tuple", "list")
    )


def _hint(kind: str, given: Any) -> str:
    """What YAML has made of what was written, where that is seldom meant."""
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
    """What a text such as 1e5, which YAML 1.1 takes for no number, stands for."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else None


def _known_keys(parents: Iterable[str | int]) -> list[str]:
    annotation: Any = Config
    for part in parents:
        annotation = _held(annotation, part)
    return list(annotation.model_fields) if is_section(annotation) else []


def _held(annotation: Any, part: str | int) -> Any:
    """The annotation of what stands under `part` in a value annotated so."""
    if is_section(annotation):
        annotation = annotation.model_fields[str(part)].annotation
    elif typing.get_origin(annotation) is dict:
        annotation = typing.get_args(annotation)[1]
    else:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, types.UnionType):
        annotation = next(held for held in typing.get_args(annotation) if held is not type(None))
    return annotation


def is_section(annotation: Any) -> bool:
    """Whether an annotation is one of the schema's sections."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
