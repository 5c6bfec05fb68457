"""Types of paths in the configuration: inputs of the workflow, and folders that it fills."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_LONGEST_PART, _LONGEST = 255, 3000  # Linux allows 4096 bytes; the rest is for files in the folder
_PLACEHOLDERS = re.compile(r"[{}]|<[a-z][a-z0-9_]*>")


def _input_path(path: str) -> str:
    if not path.strip():
        raise _fault("empty", "it names no file or folder; write its path")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise _fault(
            "control_character",
            "a path cannot contain a line break, tab or other control character; rename the file"
            " or folder",
        )
    if path.startswith("~"):
        raise _fault("tilde", "only a shell expands ~ to your home folder; write the full path")
    parts = Path(path).parts
    if (
        len(path.encode()) > _LONGEST
        or max((len(part.encode()) for part in parts), default=0) > _LONGEST_PART
    ):
        raise _fault("too_long", "it is longer than a file system allows; shorten it")
    return str(Path(path))


def _output_folder(path: str) -> str:
    if _PLACEHOLDERS.search(path):
        raise _fault(
            "placeholders",
            "Snakemake takes { } and <name> as placeholders; choose a path without them",
        )
    folder = Path(_input_path(path))
    if not folder.name or ".." in folder.parts[len(_leading(folder)) :]:
        raise _fault(
            "not_its_own",
            "it must name a folder of its own, such as results, with .. only at the beginning",
        )
    return str(folder)


def _leading(folder: Path) -> list[str]:
    """The leading `..` parts of a relative path, if a folder name follows them."""
    named = next((number for number, part in enumerate(folder.parts) if part != ".."), None)
    return list(folder.parts[:named]) if named is not None else []


def _fault(kind: str, sentence: str) -> PydanticCustomError:
    # A brace in the template itself would be taken as a field.
    return PydanticCustomError(f"path_{kind}", "{sentence}", {"sentence": sentence})


GivenPath = Annotated[str, AfterValidator(_input_path)]
"""A user's file or folder; doubled and trailing slashes are removed."""
MadeFolder = Annotated[str, AfterValidator(_output_folder)]
"""A folder that the workflow creates and fills."""
