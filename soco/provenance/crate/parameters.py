"""The workflow's inputs and outputs as formal parameters, each with what a run had for it."""

import re
from collections.abc import Mapping
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate


class Parameters:
    """The formal parameters of a crate, made as they are met.

    Args:
        crate: The crate.
    """

    def __init__(self, crate: ROCrate) -> None:
        self._crate = crate
        self._found: dict[str, ContextEntity] = {}

    def take(
        self, key: str, kind: str, name: str, example: DataEntity | ContextEntity
    ) -> ContextEntity:
        """The parameter of a key, which `example` is then an example of.

        Args:
            key: What tells it from others.
            kind: `File`, `Dataset` or the type of a value, such as `Integer`.
            name: What it is called.
            example: What the run had for it.
        """
        identifier = f"#parameter-{slug(key)}"
        if identifier not in self._found:
            self._found[identifier] = self._crate.add_formal_parameter(name, kind, identifier)
        parameter = self._found[identifier]
        parameter.append_to("workExample", example)
        example.append_to("exampleOfWork", parameter)
        if (
            len(parameter.properties()["workExample"]) == 2
        ):  # `parameter[...]` would look up every example, each time
            parameter["multipleValues"] = True
        return parameter


def pattern_of(path: str, wildcards: Mapping[str, str]) -> str:
    """The path of an output as its rule has it.

    Wildcards by name in braces, where they stand as words.
    """
    for name, value in wildcards.items():
        path = re.sub(
            rf"(?<![A-Za-z0-9{{]){re.escape(value)}(?![A-Za-z0-9}}])", f"{{{name}}}", path
        )
    return path


def slug(text: str) -> str:
    """The text as a part of an identifier."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")


def distinct(entities: list[Any]) -> list[Any]:
    """Each entity once, in order."""
    return list({entity.id: entity for entity in entities}.values())
