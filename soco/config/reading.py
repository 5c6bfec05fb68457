"""Read a YAML file of settings strictly: what YAML would drop or change in silence is refused, with
its line.

PyYAML keeps the last of two equal keys, and turns `no`, `010`, `12:30` and `2020-01-01` into other
things than text.
"""

import datetime
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from soco.errors import UserError

_PLAIN_TEXT = "tag:yaml.org,2002:str"
_INTEGER, _REAL = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_MERGE = "tag:yaml.org,2002:merge"
# YAML 1.1 reads a leading zero as octal digits, and colons as digits to the base of 60.
_UNUSUAL_NUMBER = re.compile(r"[-+]?0[0-7_]+|[^:]+(:[^:]*)+")
_MOST_VALUES = 100_000
"""Many times what a configuration holds.

Anchors that name each other can make billions of a few lines.
"""


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read a YAML file, or a JSON file, that holds one mapping whose keys are text.

    A key that a mapping takes by YAML's merge key (`<<: *tiny`) may be given again in it, and is
    then replaced.

    Raises:
        UserError: There is no such file, it is not such a mapping, a key is given twice, or YAML
            would read a key or value as something else than it looks like; the line is named.
    """
    text = _text(Path(path))
    try:
        # JSON may be indented by tabs, which YAML refuses, and is YAML otherwise.
        as_json = _from_json(text)
        loader = yaml.SafeLoader(text if as_json is None else text.replace("\t", " "))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UserError(
                f"{path} {_instead(node)} and no mapping of keys; see config.yaml for the keys it"
                " may hold."
            )
        _Inspection(path, loader).visit(node, ())
        loaded = loader.construct_document(node) if as_json is None else as_json
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML{_explained(error, text)}.") from None
    except RecursionError:
        raise UserError(
            f"{path} is nested hundreds of levels deep; write it as config.yaml is written."
        ) from None
    return dict(loaded)


def refuse_doubled_entries(entries: Iterable[str] | None) -> None:
    """Refuse a key that the entries of Snakemake's `--config`, KEY=VALUE each, give twice.

    Raises:
        UserError: A key is given twice.
    """
    keys: set[str] = set()
    for entry in entries or ():
        key, _, value = entry.partition("=")
        if key in keys:
            raise UserError(
                f"--config gives the key '{key}' twice, and the last would replace the others; keep"
                " one."
            )
        keys.add(key)
        try:
            loader = yaml.SafeLoader(value)
            node = loader.get_single_node()
        except yaml.YAMLError:
            continue  # Snakemake takes it as text
        if isinstance(node, yaml.CollectionNode):
            _Inspection(f"--config {key}", loader).visit(node, (key,))


def _text(path: Path) -> str:
    if not path.exists():
        raise UserError(
            f"There is no configuration file {path}; give a YAML file such as config.yaml."
        )
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or device"
        raise UserError(f"{path} is {kind} and no file; give a YAML file such as config.yaml.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(
            f"{path} is no text in UTF-8; save it in that encoding, or give another file."
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); make it readable, or give another file."
        ) from None


def _from_json(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _instead(node: yaml.Node | None) -> str:
    if node is None:
        return "is empty"
    return "holds a list" if isinstance(node, yaml.SequenceNode) else "holds a single value"


def _explained(error: yaml.YAMLError, text: str) -> str:
    """What is wrong with the YAML, in which line, and what helps."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return (
            f": line {line} holds the character U+{ord(text[error.position]):04X}, which it may"
            " not; remove it"
        )
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f": {' '.join(str(error).split())}"
    line, problem = mark.line + 1, str(getattr(error, "problem", ""))
    if problem == "but found another document":
        return f": a second document begins in line {line}; give each a file of its own"
    if r"'\t'" in problem:
        return f": line {line} is indented by a tab; put spaces in its place"
    return (
        f": line {line}: {problem}; correct it (text that holds a colon, or begins with a sign,"
        " needs quotes)"
    )


class _Inspection:
    """Looks at every node of a YAML document before it becomes Python's objects, which tell no lines."""

    def __init__(self, path: str | Path, loader: yaml.SafeLoader) -> None:
        self.path, self.loader = path, loader
        self.values: dict[int, int] = {}
        """How many values each collection comes to, what its aliases stand for counted each time."""
        self.around: set[int] = set()

    def visit(self, node: yaml.Node, keys: tuple[str, ...]) -> int:
        """Refuse what is wrong below a node; returns how many values it comes to."""
        if isinstance(node, yaml.ScalarNode):
            self._see_that_it_reads_as_it_looks(node, keys)
            return 1
        if id(node) in self.around:
            raise self._refusal(
                node,
                f"{_place(keys)} is given by an alias of what it lies in; write out what is meant",
            )
        if id(node) not in self.values:
            self.around.add(id(node))
            self.values[id(node)] = 1 + self._visit_parts(node, keys)
            self.around.remove(id(node))
        if self.values[id(node)] > _MOST_VALUES:
            what = f"{_place(keys)} expands to more than {_MOST_VALUES:,} values through aliases"
            raise self._refusal(node, f"{what}; write out what is meant")
        return self.values[id(node)]

    def _visit_parts(self, node: yaml.Node, keys: tuple[str, ...]) -> int:
        if isinstance(node, yaml.SequenceNode):
            return sum(
                self.visit(part, (*keys, str(number))) for number, part in enumerate(node.value)
            )
        lines: dict[str, int] = {}
        count = 0
        for key, value in node.value:
            name = self._key(key)
            line = _line(key)
            if name in lines:
                where = (
                    f"in line {line}"
                    if lines[name] == line
                    else f"in lines {lines[name]} and {line}"
                )
                raise UserError(
                    f"{self.path} gives the key '{'.'.join((*keys, name))}' twice, {where}, and"
                    " YAML would keep the second alone; put what both hold under one."
                )
            lines[name] = line
            count += self.visit(value, keys if key.tag == _MERGE else (*keys, name))
        return count

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._refusal(
                node,
                "a list or mapping stands where a key should; put text there, in quotes if need be",
            )
        if node.tag not in (_PLAIN_TEXT, _MERGE):
            read = (
                f"YAML reads the key {node.value or 'that is left out'} as {self._described(node)}"
            )
            raise self._refusal(node, f"{read}, and keys are text; put it in quotes")
        self._see_that_it_is_text(node)
        return str(node.value)

    def _see_that_it_is_text(self, node: yaml.ScalarNode) -> None:
        try:
            node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._refusal(
                node, r"it holds a lone surrogate, such as \ud800; remove it"
            ) from None

    def _see_that_it_reads_as_it_looks(self, node: yaml.ScalarNode, keys: tuple[str, ...]) -> None:
        self._see_that_it_is_text(node)
        read = self._described(node)
        is_unusual = node.tag in (_INTEGER, _REAL) and _UNUSUAL_NUMBER.fullmatch(node.value)
        if is_unusual or read.startswith("a date"):
            remedy = (
                f"write {read.split()[-1]} if that is meant, or put it in quotes"
                if is_unusual
                else "put it in quotes"
            )
            raise self._refusal(
                node, f"YAML reads {_place(keys)}: {node.value} as {read}; {remedy}"
            )

    def _described(self, node: yaml.ScalarNode) -> str:
        """What YAML makes of a scalar, in words."""
        try:
            value = self.loader.construct_object(node)
        except ValueError:  # a 13th month, thousands of digits
            shown = node.value if len(node.value) < 40 else f"{node.value[:20]}..."
            raise self._refusal(
                node, f"{shown} is not a valid date or number; correct it or put it in quotes"
            ) from None
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        return "a date" if isinstance(value, datetime.date) else f"the number {value}"

    def _refusal(self, node: yaml.Node, sentence: str) -> UserError:
        return UserError(f"{self.path}, line {_line(node)}: {sentence}.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _place(keys: tuple[str, ...]) -> str:
    return ".".join(keys) or "the whole"
