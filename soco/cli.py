"""The `soco` command: what can be asked without running the workflow."""

import argparse
import sys
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from soco.config import Config, load_config
from soco.config.load import is_section
from soco.errors import UserError
from soco.show.command import add_show, run_show


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 with one sentence on standard error for bad input."""
    parser = argparse.ArgumentParser(prog="soco", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("keys", help="list every configuration key with its default and its sentence")
    check = commands.add_parser("check", help="check a configuration file and its overlays")
    check.add_argument("config", nargs="+", help="YAML files; a later one's keys replace an earlier one's")
    add_show(commands)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "keys":
            print("\n".join(describe_keys()))
        elif chosen.command == "show":
            run_show(chosen)
        else:
            load_config(*chosen.config)
            print("The configuration is accepted.")
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def describe_keys(section: Any = Config, prefix: str = "") -> Iterator[str]:
    """Yield a line for every key of the schema, sections before their keys."""
    for name, field in section.model_fields.items():
        place = f"{prefix}{name}"
        default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
        inner, suffix = _inner_section(field.annotation)
        yield f"{place}{'' if inner else f' [{default}]'}: {field.description}"
        if inner:
            yield from describe_keys(inner, f"{place}{suffix}.")


def _inner_section(annotation: Any) -> tuple[Any, str]:
    """The section that a key holds, by itself, by name or by number; None where it holds a plain value."""
    if is_section(annotation):
        return annotation, ""
    suffixes = {dict: ".NAME", tuple: ".NUMBER"}
    suffix = suffixes.get(typing.get_origin(annotation), "")
    inner = next((part for part in typing.get_args(annotation) if is_section(part)), None)
    return inner, suffix


if __name__ == "__main__":
    sys.exit(main())
