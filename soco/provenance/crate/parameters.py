"""The workflow's inputs and outputs as formal parameters, with the run's files as examples."""

import re
from collections.abc import Mapping

from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate


class Parameters:
    """The formal parameters of a crate, created when first used.

    Args:
        crate: The crate.
    """

    def __init__(self, crate: ROCrate) -> None:
        self._crate = crate
        self._found: dict[str, ContextEntity] = {}

    def take(
        self, key: str, kind: str, name: str, example: DataEntity | ContextEntity
    ) -> ContextEntity:
        """The parameter of a key, with `example` added to its examples.

        Args:
            key: Identifies the parameter.
            kind: `File`, `Dataset` or the type of a value, such as `Integer`.
            name: Its name.
            example: The run's file or value.
        """
        identifier = "#parameter-" + re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip("-")
        if identifier not in self._found:
            self._found[identifier] = self._crate.add_formal_parameter(name, kind, identifier)
        parameter = self._found[identifier]
        parameter.append_to("workExample", example)
        example.append_to("exampleOfWork", parameter)
        # `parameter["workExample"]` would look up all examples each time.
        if len(parameter.properties()["workExample"]) == 2:
            parameter["multipleValues"] = True
        return parameter


def pattern_of(path: str, wildcards: Mapping[str, str]) -> str:
    """The path of an output as in its rule: values of wildcards replaced by `{name}`."""
    for name, value in wildcards.items():
        word = rf"(?<![A-Za-z0-9{{]){re.escape(value)}(?![A-Za-z0-9}}])"
        path = re.sub(word, f"{{{name}}}", path)
    return path
