"""Read a YAML file strictly: refuse what YAML would silently drop or change.

PyYAML keeps the last of two equal keys, and turns `no`, `010`, `12:30` and `2020-01-01` into values
that are not text.
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
# YAML 1.1 reads a leading zero as octal, and colons as base 60.
_UNUSUAL_NUMBER = re.compile(r"[-+]?0[0-7_]+|[^:]+(:[^:]*)+")
_MOST_VALUES = 100_000
"""Far above any real configuration; nested aliases can expand to billions of values."""


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read a YAML or JSON file that contains one mapping with text keys.

    A key from YAML's merge key (`<<: *tiny`) may be given again, and the later value counts.

    Raises:
        UserError: There is no such file, it is not such a mapping, a key is given twice, or YAML
            reads a key or value differently from how it looks; the message names the line.
    """
    text = _text(Path(path))
    try:
        # JSON is YAML, except that it may be indented with tabs.
        as_json = _from_json(text)
        loader = yaml.SafeLoader(text if as_json is None else text.replace("\t", " "))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UserError(
                "config.not_a_mapping",
                "{path} {content} instead of a mapping of keys; config.yaml shows the keys.",
                path=path,
                content=_content(node),
            )
        _Inspection(path, loader).visit(node, ())
        loaded = loader.construct_document(node) if as_json is None else as_json
    except yaml.YAMLError as error:
        raise UserError(
            "config.not_yaml",
            "{path} is not valid YAML: {problem}.",
            path=path,
            problem=_problem(error, text),
        ) from None
    except RecursionError:
        raise UserError(
            "config.nested_too_deep",
            "{path} is nested hundreds of levels deep; config.yaml shows what a configuration looks"
            " like.",
            path=path,
        ) from None
    return dict(loaded)


def check_entries(entries: Iterable[str] | None) -> None:
    """Refuse a key that Snakemake's `--config` gives twice.

    Args:
        entries: The entries of `--config`, KEY=VALUE each.

    Raises:
        UserError: A key is given twice.
    """
    keys: set[str] = set()
    for entry in entries or ():
        key, _, value = entry.partition("=")
        if key in keys:
            raise UserError(
                "config.entry_twice",
                "--config gives the key '{key}' twice, and only the last would count; keep one.",
                key=key,
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
            "config.file_not_found",
            "There is no configuration file {path}; give a YAML file such as config.yaml.",
            path=path,
        )
    if not path.is_file():
        raise UserError(
            "config.not_a_file",
            "{path} is {kind}, not a file; give a YAML file such as config.yaml.",
            path=path,
            kind="a folder" if path.is_dir() else "a pipe or device",
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(
            "config.not_utf8",
            "{path} is not text in UTF-8; save it in that encoding, or give another file.",
            path=path,
        ) from None
    except OSError as error:
        raise UserError(
            "config.not_readable",
            "{path} cannot be read ({reason}); make it readable, or give another file.",
            path=path,
            reason=error.strerror,
        ) from None


def _from_json(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _content(node: yaml.Node | None) -> str:
    if node is None:
        return "is empty"
    return "is a list" if isinstance(node, yaml.SequenceNode) else "is a single value"


def _problem(error: yaml.YAMLError, text: str) -> str:
    """What is wrong with the YAML, in which line, and how to correct it."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        code = f"U+{ord(text[error.position]):04X}"
        return f"line {line} has the character {code}, which YAML does not allow; remove it"
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    line, problem = mark.line + 1, str(getattr(error, "problem", ""))
    if problem == "but found another document":
        return f"a second document begins in line {line}; put it into a file of its own"
    if r"'\t'" in problem:
        return f"line {line} is indented with a tab; use spaces"
    return (
        f"line {line}: {problem}; correct it (text that contains a colon, or begins with a special"
        " character, needs quotes)"
    )


class _Inspection:
    """Checks every node of a YAML document while its line number is still known."""

    def __init__(self, path: str | Path, loader: yaml.SafeLoader) -> None:
        self.path, self.loader = path, loader
        self.values: dict[int, int] = {}
        """Number of values in each collection, with its aliases expanded."""
        self.around: set[int] = set()
        """The collections that contain the current node, to detect an alias of one of them."""

    def visit(self, node: yaml.Node, keys: tuple[str, ...]) -> int:
        """Refuse what is wrong in a node; return its number of values."""
        if isinstance(node, yaml.ScalarNode):
            self._check_value(node, keys)
            return 1
        if id(node) in self.around:
            raise UserError(
                "config.alias_of_itself",
                "{path}, line {line}: {key} is an alias of something that contains it; write the"
                " value out.",
                key=_place(keys),
                **self._at(node),
            )
        if id(node) not in self.values:
            self.around.add(id(node))
            self.values[id(node)] = 1 + self._visit_parts(node, keys)
            self.around.remove(id(node))
        if self.values[id(node)] > _MOST_VALUES:
            raise UserError(
                "config.too_many_values",
                "{path}, line {line}: {key} expands to more than {most:,} values through aliases;"
                " write the values out.",
                key=_place(keys),
                most=_MOST_VALUES,
                **self._at(node),
            )
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
                numbers = [str(number) for number in dict.fromkeys((lines[name], line))]
                raise UserError(
                    "config.key_twice",
                    "{path} gives the key '{key}' twice ({lines}), and YAML would keep only"
                    " the second; merge them into one.",
                    path=self.path,
                    key=".".join((*keys, name)),
                    lines=f"line{'s' * (len(numbers) > 1)} {' and '.join(numbers)}",
                )
            lines[name] = line
            count += self.visit(value, keys if key.tag == _MERGE else (*keys, name))
        return count

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise UserError(
                "config.key_is_a_collection",
                "{path}, line {line}: a key is a list or mapping; use text, in quotes if need be.",
                **self._at(node),
            )
        if node.tag not in (_PLAIN_TEXT, _MERGE):
            raise UserError(
                "config.key_is_not_text",
                "{path}, line {line}: YAML reads the key {key} as {reading}, but keys are text; put"
                " it in quotes.",
                key=node.value or "(empty)",
                reading=self._described(node),
                **self._at(node),
            )
        self._check_text(node)
        return str(node.value)

    def _check_text(self, node: yaml.ScalarNode) -> None:
        try:
            node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise UserError(
                "config.lone_surrogate",
                "{path}, line {line}: there is a lone surrogate, such as {example}; remove it.",
                example=r"\ud800",
                **self._at(node),
            ) from None

    def _check_value(self, node: yaml.ScalarNode, keys: tuple[str, ...]) -> None:
        """Refuse a value that YAML reads differently from how it looks."""
        self._check_text(node)
        reading = self._described(node)
        is_unusual = node.tag in (_INTEGER, _REAL) and _UNUSUAL_NUMBER.fullmatch(node.value)
        if not is_unusual and not reading.startswith("a date"):
            return
        number = f"write {reading.split()[-1]} if you mean that number, or " if is_unusual else ""
        raise UserError(
            "config.value_misread",
            "{path}, line {line}: YAML reads {key}: {value} as {reading}; {number}put it in"
            " quotes.",
            key=_place(keys),
            value=node.value,
            reading=reading,
            number=number,
            **self._at(node),
        )

    def _described(self, node: yaml.ScalarNode) -> str:
        """How YAML reads a scalar, in words."""
        try:
            value = self.loader.construct_object(node)
        except ValueError:  # a 13th month, thousands of digits
            raise UserError(
                "config.not_a_date_or_number",
                "{path}, line {line}: {value} is not a valid date or number; correct it or put it"
                " in quotes.",
                value=node.value if len(node.value) < 40 else f"{node.value[:20]}...",
                **self._at(node),
            ) from None
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        return "a date" if isinstance(value, datetime.date) else f"the number {value}"

    def _at(self, node: yaml.Node) -> dict[str, Any]:
        return {"path": self.path, "line": _line(node)}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _place(keys: tuple[str, ...]) -> str:
    return ".".join(keys) or "the whole file"
