"""The `soco` command: what can be done without running the workflow."""

import argparse
import os
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from soco.config import Config, load_config
from soco.config.refusals import is_section
from soco.errors import UserError
from soco.machine import machine_faults
from soco.provenance.audit.command import add_audit, run_audit
from soco.report.show.command import add_show, run_show
from soco.transfer.probe.command import add_probe, run_probe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and explain bad input in one sentence on standard error.

    Args:
        arguments: Command-line arguments; None: those of this process.

    Returns:
        The exit code: 1 for bad input (2 in `compare`), otherwise the command's.
    """
    parser = argparse.ArgumentParser(prog="soco", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for command in COMMANDS:
        own = commands.add_parser(command.name, help=command.help)
        command.add_arguments(own)
        own.set_defaults(run=command.run, trouble=command.trouble)
    chosen = parser.parse_args(arguments)
    try:
        with machine_faults(Path.cwd()):
            code: int | None = chosen.run(chosen)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return int(chosen.trouble)
    except BrokenPipeError:  # the reader of our output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(
            f"Error: {error.filename or 'a file'}: {error.strerror}; give another path.",
            file=sys.stderr,
        )
        return int(chosen.trouble)
    return code or 0


@dataclass(frozen=True)
class Command:
    """A sub-command of `soco`.

    Attributes:
        name: Its name.
        help: What it does, in a few words.
        add_arguments: Adds its arguments to a parser.
        run: Runs it and returns the exit code; None is 0.
        trouble: The exit code for bad input.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], Any]
    run: Callable[[argparse.Namespace], int | None]
    trouble: int = 1


def describe_keys(section: Any = Config, prefix: str = "") -> Iterator[str]:
    """Yield a line for every key of the schema, each section before its keys."""
    for name, field in section.model_fields.items():
        place = f"{prefix}{name}"
        inner, suffix = _inner_section(field.annotation)
        yield f"{place}{_default(field, bool(inner))}: {field.description}"
        if inner:
            yield from describe_keys(inner, f"{place}{suffix}.")


def _default(field: Any, has_own_lines: bool) -> str:
    """A key's default in brackets; nothing for a section, whose keys have their own lines."""
    if field.is_required():
        return "" if has_own_lines else " [required]"
    value = field.get_default(call_default_factory=True)
    plain = to_jsonable_python(value)
    if has_own_lines:
        parts = plain if isinstance(plain, list) else [plain]
        return f" [{plain!r}]" if all(isinstance(part, str) for part in parts) else ""
    return f" [{value!r}]"


def _inner_section(annotation: Any) -> tuple[Any, str]:
    """The section in a key's value, if any, and `.NAME` or `.NUMBER` where it has several."""
    if is_section(annotation):
        return annotation, ""
    suffixes = {dict: ".NAME", tuple: ".NUMBER"}
    suffix = suffixes.get(typing.get_origin(annotation), "")
    inner = next((part for part in typing.get_args(annotation) if is_section(part)), None)
    return inner, suffix


def _list_keys(arguments: argparse.Namespace) -> None:
    print("\n".join(describe_keys()))


def _check(arguments: argparse.Namespace) -> None:
    load_config(*arguments.config)
    print("The configuration is accepted.")


def _check_data(arguments: argparse.Namespace) -> None:
    from soco.data.checks.dataset import check_data

    check_data(load_config(*arguments.config))


def _take_configs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config",
        nargs="*",
        help="YAML files, each overriding those before it; default: config.yaml, the demo",
    )


def _export_proposals(arguments: argparse.Namespace) -> None:
    from soco.proposals.exchange import export_proposals

    count = export_proposals(arguments.store, arguments.output, arguments.by)
    print(f"Wrote the proposals of {count} images to {arguments.output}.")


def _take_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", help="store.parquet or store.arrow")
    parser.add_argument("output", help="the JSON file to write")
    parser.add_argument(
        "--by",
        choices=("name", "key"),
        default="name",
        help="how images are identified; default: by base name",
    )


def _convert(arguments: argparse.Namespace) -> None:
    from soco.transfer.convert import convert_file

    output: Path = arguments.output
    convert_file(arguments.weights, arguments.to, output, output.with_name(f"{output.name}.json"))


def _take_weights(parser: argparse.ArgumentParser) -> None:
    weights = (
        "weights.safetensors, a checkpoint (also of another library), or a released .pth or"
        " detectron2 .pkl"
    )
    parser.add_argument("weights", type=Path, metavar="IN", help=weights)
    parser.add_argument(
        "output", type=Path, metavar="OUT", help="the file to write; OUT.json lists its content"
    )
    libraries = "detectron2, detectron2_c4, mmdetection, torchvision, torchvision_resnet or timm"
    parser.add_argument("--to", required=True, metavar="TARGET", help=libraries)


def _compare(arguments: argparse.Namespace) -> int:
    from soco.provenance.compare.comparison import compare

    return compare(arguments.a, arguments.b, arguments.json)


def _take_reports(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit code: 0 for the same results, 1 for other results, 2 for an error."
    parser.add_argument("a", type=Path, metavar="A", help="report.json of the first run")
    parser.add_argument("b", type=Path, metavar="B", help="report.json of the second run")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write JSON to this file")


def _export_crate(arguments: argparse.Namespace) -> None:
    from soco.provenance.crate.build import export

    print(export(arguments.report, arguments.output, arguments.folder, arguments.with_weights))


def _take_crate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "report",
        type=Path,
        metavar="REPORT",
        help="report.json of a run, in the same folder as its report.html",
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="a .zip, or a new folder")
    parser.add_argument(
        "--folder", type=Path, help="the folder that the run worked in; default: from REPORT's path"
    )
    weights = "pack every file of the run; without it, those above 1 MB are only described"
    parser.add_argument("--with-weights", action="store_true", help=weights)


COMMANDS = (
    Command(
        "keys",
        "list every configuration key with its default and its meaning",
        lambda parser: None,
        _list_keys,
    ),
    Command("check", "check a configuration", _take_configs, _check),
    Command(
        "check-data", "check the detection sets of a configuration", _take_configs, _check_data
    ),
    Command("show", "draw the proposals or views of an image, or plot a loss", add_show, run_show),
    Command(
        "convert",
        "convert pretrained weights for another library, and verify them",
        _take_weights,
        _convert,
    ),
    Command(
        "probe",
        "classify labelled images with a frozen backbone: kNN and linear",
        add_probe,
        run_probe,
    ),
    Command(
        "audit", "check a run against its report, and repeat parts of it", add_audit, run_audit
    ),
    Command(
        "export-proposals",
        "write a store's proposals as the SoCo authors' JSON",
        _take_store,
        _export_proposals,
    ),
    Command(
        "compare",
        "list the differences between two runs, from their reports",
        _take_reports,
        _compare,
        trouble=2,
    ),
    Command("export-crate", "pack a run as a Workflow Run RO-Crate", _take_crate, _export_crate),
)

if __name__ == "__main__":
    sys.exit(main())
