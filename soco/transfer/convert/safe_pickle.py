"""Read a pickle as data: numpy arrays of numbers in plain containers, without running code.

A pickle names functions and calls them. Here the few names that an array's pickle needs map to
functions of this module, which build the array from its bytes. numpy's own functions trust the file
about a dtype's memory layout, so they are never called. Any other name is refused.
"""

import collections
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from soco.errors import UserError

_NDARRAY = "numpy.ndarray"
_NUMBERS = re.compile(r"b1|i[1248]|u[1248]|f[248]")


def read_pickle(path: str | Path) -> Any:
    """Read a pickle of arrays, numbers, text and plain containers, such as detectron2's `.pkl`.

    Args:
        path: The file.

    Returns:
        Its content, arrays as `np.ndarray` of bool, integers or floats.

    Raises:
        UserError: The file is missing or damaged, or names anything else; none of it was run.
    """
    try:
        with Path(path).open("rb") as file:
            # latin1, for arrays that Python 2 wrote
            return _plain(_Reader(file, encoding="latin1").load())
    except FileNotFoundError:
        raise UserError(
            "convert.pickle_not_found",
            "There is no file {path}; give a detectron2 .pkl.",
            path=path,
        ) from None
    except _RefusedError as refused:
        raise UserError(
            "convert.unsafe_pickle",
            "{path} is refused: reading it would use {name}, and weights need only numpy arrays in"
            " plain containers. Nothing in it was run; take the file from a source that you trust.",
            path=path,
            name=refused,
        ) from None
    except Exception as error:  # a damaged pickle fails in many ways
        raise UserError(
            "convert.damaged_pickle",
            "{path} cannot be read as a pickle ({reason}); copy or download it again.",
            path=path,
            reason=str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__,
        ) from None


class _RefusedError(Exception):
    """Its text names what the file tried to use."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise _RefusedError(f"{module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("an object outside of the file")


class _Type:
    """Replaces `numpy.dtype` while a file is read: a kind of number and its byte order."""

    __slots__ = ("kind", "order")

    def __init__(self, kind: Any) -> None:
        if not isinstance(kind, str) or not _NUMBERS.fullmatch(kind):
            raise _RefusedError(f"an array of {kind!r}")
        self.kind, self.order = kind, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # (version, byte order, subarray, names, fields, ...): for numbers, the last three are None.
        if state[1] not in ("<", ">", "|", "=") or any(state[2:5]):
            raise _RefusedError("an array of structures")
        self.order = state[1]


class _Array:
    """Replaces `numpy.ndarray` while a file is read; `__setstate__` brings the numbers."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, of_type, is_fortran, buffer = state
        self.numbers = _numbers(buffer, of_type, shape, "F" if is_fortran else "C")


class _MakeType:
    __slots__ = ()  # no __dict__, so that a file cannot set attributes on it; the same below

    def __call__(self, kind: Any, align: Any = False, copy: Any = False) -> _Type:
        return _Type(kind)


class _MakeArray:
    __slots__ = ()

    def __call__(self, of_class: Any, shape: Any, of_type: Any) -> _Array:
        if of_class != _NDARRAY:
            raise _RefusedError(f"an array of the class {of_class!r}")
        return _Array()


class _MakeArrayOfBuffer:
    __slots__ = ()

    def __call__(self, buffer: Any, of_type: Any, shape: Any, order: Any) -> _Array:
        array = _Array()
        array.numbers = _numbers(buffer, of_type, shape, order)
        return array


def _numbers(buffer: Any, of_type: Any, shape: Any, order: Any) -> np.ndarray:
    if isinstance(buffer, str):
        # Python 2's str, which latin1 turned into text byte by byte.
        buffer = buffer.encode("latin1")
    if (
        not isinstance(of_type, _Type)
        or not isinstance(buffer, bytes | bytearray)
        or order not in ("C", "F")
    ):
        raise _RefusedError("an array of something other than numbers")
    # "|" marks types of one byte, which have no byte order.
    stored = np.dtype(of_type.order.replace("|", "=") + of_type.kind)
    # A copy: writable, and in this machine's byte order.
    return np.array(np.frombuffer(buffer, stored).reshape(shape, order=order), of_type.kind)


def _plain(value: Any) -> Any:
    """The value with real arrays in place of their stand-ins."""
    if isinstance(value, _Array):
        if value.numbers is None:
            raise ValueError("an array without its numbers")
        return value.numbers
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    raise _RefusedError(f"a value of {type(value).__name__}")


_ADMITTED: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _MakeType(),
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _MakeArray() for core in ("core", "_core")},
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): _MakeArrayOfBuffer() for core in ("core", "_core")
    },
}
