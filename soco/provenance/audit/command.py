"""`soco audit REPORT`.

Hash the files of a run again, collect its report again, and do parts of its work again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from soco.config import load_config
from soco.errors import UserError
from soco.provenance.audit.checks import Check


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("report", type=Path, help="report.json; the working folder is the run's")
    parser.add_argument(
        "--shards", type=int, default=2, help="shards to search and filter afresh; default: 2"
    )
    parser.add_argument(
        "--seed", type=int, help="of the choice of shards; default: drawn anew, and told"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="do nothing afresh from images and weights but the page",
    )
    parser.add_argument(
        "--config", nargs="+", type=Path, help="the present configuration: YAML files"
    )
    parser.add_argument(
        "--lock", type=Path, help="the present lock of packages; default: the repository's"
    )
    parser.add_argument("--out", type=Path, help="folder that receives audit.txt and audit.json")


def run_audit(arguments: argparse.Namespace) -> None:
    """Audit, and print the table.

    Raises:
        UserError: A check fails.
    """
    from soco.provenance.audit.run import (
        Options,
        audit,
    )  # loads torch, which `soco keys` need not wait for
    from soco.provenance.audit.table import as_table, write_audit

    config = load_config(*arguments.config).model_dump(mode="json") if arguments.config else None
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    options = Options(
        arguments.shards, quick=arguments.quick, config=config, lock=arguments.lock, **seed
    )
    checks = audit(arguments.report, options)
    print(as_table(checks))
    if not options.quick:
        print(f"Shards were chosen with --seed {options.seed}.")
    if arguments.out:
        write_audit(arguments.out, arguments.report, options, checks)
    see_that_none_failed(checks)


def see_that_none_failed(checks: Sequence[Check]) -> None:
    """Raise where a check fails.

    Raises:
        UserError: It names the first.
    """
    wrong = [one for one in checks if one.status == "FAIL"]
    if wrong:
        raise UserError(
            f"{len(wrong)} of {len(checks)} checks FAIL, the first: {wrong[0].name}:"
            f" {wrong[0].said}"
        )
