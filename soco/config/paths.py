"""Paths in the configuration.

Of files and folders that are read, and of folders that the workflow fills.
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_LONGEST_PART, _LONGEST = 255, 3000  # of Linux's 4096 bytes, some are left for what is below it
_PLACEHOLDERS = re.compile(r"[{}]|<[a-z][a-z0-9_]*>")


def _that_is_read(path: str) -> str:
    if not path.strip():
        raise _fault("it names no file or folder; write its path")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in path):
        raise _fault(
            "a path may hold no line break, tab or other control character; rename the file or"
            " folder"
        )
    if path.startswith("~"):
        raise _fault("only a shell replaces ~ by your home folder; write the whole path")
    parts = Path(path).parts
    if (
        len(path.encode()) > _LONGEST
        or max((len(part.encode()) for part in parts), default=0) > _LONGEST_PART
    ):
        raise _fault("it is longer than a file system takes; shorten it")
    return str(Path(path))


def _that_is_filled(path: str) -> str:
    if _PLACEHOLDERS.search(path):
        raise _fault("Snakemake takes { } and <name> as placeholders; choose a path without them")
    folder = Path(_that_is_read(path))
    if not folder.name or ".." in folder.parts[len(_leading(folder)) :]:
        raise _fault(
            "it must name a folder of its own, such as results, with .. at its beginning alone"
        )
    return str(folder)


def _leading(folder: Path) -> list[str]:
    """The parts `..` that a relative path begins with, if it names a folder after them."""
    named = next((number for number, part in enumerate(folder.parts) if part != ".."), None)
    return list(folder.parts[:named]) if named is not None else []


def _fault(sentence: str) -> PydanticCustomError:
    # Braces would be taken as places for values.
    return PydanticCustomError("path", "{sentence}", {"sentence": sentence})


GivenPath = Annotated[str, AfterValidator(_that_is_read)]
"""A file or folder of the user's, without doubled or trailing slashes."""
MadeFolder = Annotated[str, AfterValidator(_that_is_filled)]
"""A folder that the workflow makes; all that it makes has this path before its own."""
