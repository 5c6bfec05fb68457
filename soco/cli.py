"""The `soco` command: what can be asked without running the workflow."""

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
    """Run the command; returns the exit code, 1 (`compare`.

    2) with one sentence on standard error for bad input.
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
    except BrokenPipeError:  # whoever read what is printed has read enough, as `head` does
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
    """A command: its name, what it is for, the arguments that it takes, and what it does with them.

    Attributes:
        run: Does it; the exit code is what it returns, and 0 for none.
        trouble: The exit code where it cannot be done.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], Any]
    run: Callable[[argparse.Namespace], int | None]
    trouble: int = 1


def describe_keys(section: Any = Config, prefix: str = "") -> Iterator[str]:
    """Yield a line for every key of the schema, sections before their keys."""
    for name, field in section.model_fields.items():
        place = f"{prefix}{name}"
        inner, suffix = _inner_section(field.annotation)
        yield f"{place}{_default(field, bool(inner))}: {field.description}"
        if inner:
            yield from describe_keys(inner, f"{place}{suffix}.")


def _default(field: Any, is_spelled_below: bool) -> str:
    """A key's default in brackets; none for a section whose keys follow with theirs."""
    if field.is_required():
        return "" if is_spelled_below else " [required]"
    value = field.get_default(call_default_factory=True)
    plain = to_jsonable_python(value)
    if is_spelled_below:
        parts = plain if isinstance(plain, list) else [plain]
        return f" [{plain!r}]" if all(isinstance(part, str) for part in parts) else ""
    return f" [{value!r}]"


def _inner_section(annotation: Any) -> tuple[Any, str]:
    """The section that a key holds, by itself, by name or by number.

    None where it holds a plain value.
    """
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
        "config", nargs="+", help="YAML files; a later one's keys replace an earlier one's"
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
        help="what images go by; default: base name",
    )


def _convert(arguments: argparse.Namespace) -> None:
    from soco.transfer.convert import convert_file

    output: Path = arguments.output
    convert_file(arguments.weights, arguments.to, output, output.with_name(f"{output.name}.json"))


def _take_weights(parser: argparse.ArgumentParser) -> None:
    weights = (
        "weights.safetensors, a checkpoint (of another library, too), or a released .pth or"
        " detectron2 .pkl"
    )
    parser.add_argument("weights", type=Path, metavar="IN", help=weights)
    parser.add_argument(
        "output", type=Path, metavar="OUT", help="the file to write; OUT.json tells what it carries"
    )
    libraries = "detectron2, detectron2_c4, mmdetection, torchvision, torchvision_resnet or timm"
    parser.add_argument("--to", required=True, metavar="TARGET", help=libraries)


def _compare(arguments: argparse.Namespace) -> int:
    from soco.provenance.compare.command import compare

    return compare(arguments.a, arguments.b, arguments.json)


def _take_reports(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit code: 0 the same results, 1 other results, 2 trouble."
    parser.add_argument("a", type=Path, metavar="A", help="report.json of a run")
    parser.add_argument(
        "b", type=Path, metavar="B", help="report.json of the run that it is compared with"
    )
    parser.add_argument(
        "--json", type=Path, metavar="OUT", help="also write the comparison as JSON"
    )


def _export_crate(arguments: argparse.Namespace) -> None:
    from soco.provenance.crate.command import export

    print(export(arguments.report, arguments.output, arguments.folder, arguments.with_weights))


def _take_crate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "report",
        type=Path,
        metavar="REPORT",
        help="report.json of a run; report.html lies beside it",
    )
    parser.add_argument(
        "output", type=Path, metavar="OUT", help="a .zip, or a folder that is not there yet"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="the folder that the run worked in; otherwise told by REPORT's path",
    )
    weights = (
        "put every file of the run into the crate; otherwise those above 1 MB are told of by size"
        " and SHA-256"
    )
    parser.add_argument("--with-weights", action="store_true", help=weights)


COMMANDS = (
    Command(
        "keys",
        "list every configuration key with its default and its sentence",
        lambda parser: None,
        _list_keys,
    ),
    Command("check", "check a configuration file and its overlays", _take_configs, _check),
    Command(
        "check-data", "check the detection sets of a configuration", _take_configs, _check_data
    ),
    Command("show", "draw what the workflow makes of one image", add_show, run_show),
    Command(
        "convert",
        "convert pretrained weights for a library, and try them in it",
        _take_weights,
        _convert,
    ),
    Command(
        "probe",
        "classify labelled images by a frozen backbone: kNN and linear",
        add_probe,
        run_probe,
    ),
    Command(
        "audit", "check the files and figures of a run against its report", add_audit, run_audit
    ),
    Command(
        "export-proposals",
        "write a store's proposals as the SoCo authors' JSON",
        _take_store,
        _export_proposals,
    ),
    Command(
        "compare",
        "tell what differs between two runs, from their reports",
        _take_reports,
        _compare,
        trouble=2,
    ),
    Command("export-crate", "pack a run as a Workflow Run RO-Crate", _take_crate, _export_crate),
)

if __name__ == "__main__":
    sys.exit(main())
