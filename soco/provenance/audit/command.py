"""`soco audit REPORT`, and the function that rule `audit` runs."""

import argparse
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from soco.config import load_config
from soco.environment import environment
from soco.errors import UserError
from soco.io import atomic_write, sha256_of, write_json
from soco.provenance.audit.checks import Check, as_table, failed

if TYPE_CHECKING:
    from soco.provenance.audit.run import Options


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "report", type=Path, help="report.json; run the command in the folder of the run"
    )
    parser.add_argument(
        "--shards", type=int, default=2, help="number of shards to process again [2]"
    )
    parser.add_argument(
        "--seed", type=int, help="seed that chooses the shards [random, and printed]"
    )
    parser.add_argument("--quick", action="store_true", help="repeat no work except the page")
    parser.add_argument(
        "--config", nargs="+", type=Path, help="the current configuration: YAML files"
    )
    parser.add_argument("--lock", type=Path, help="the current lock file [the repository's]")
    parser.add_argument("--out", type=Path, help="folder for audit.txt and audit.json")


def run_audit(arguments: argparse.Namespace) -> None:
    """Audit a run as the command's arguments say.

    Raises:
        UserError: A check fails.
    """
    from soco.provenance.audit.run import Options  # loads torch, which other commands do not need

    config = load_config(*arguments.config).model_dump(mode="json") if arguments.config else None
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    options = Options(
        arguments.shards, quick=arguments.quick, config=config, lock=arguments.lock, **seed
    )
    audit_run(arguments.report, options, arguments.out)


def audit_run(report: Path, options: "Options", folder: Path | None) -> None:
    """Audit a run and print the table.

    Args:
        report: The report.json.
        options: What to check.
        folder: Where to write audit.txt and audit.json; None writes neither.

    Raises:
        UserError: A check fails; the error names the first.
    """
    from soco.provenance.audit.run import audit

    checks = audit(report, options)
    print(as_table(checks))
    if not options.quick:
        print(f"The shards were chosen with --seed {options.seed}.")
    if folder:
        _write(folder, report, options, checks)
    if wrong := failed(checks):
        raise UserError(
            "audit.failed",
            "{failed} of {checks} checks FAIL, the first: {name}: {said}",
            failed=len(wrong),
            checks=len(checks),
            name=wrong[0].name,
            said=wrong[0].said,
        )


def _write(folder: Path, report: Path, options: "Options", checks: Sequence[Check]) -> None:
    with atomic_write(folder / "audit.txt") as temporary:
        temporary.write_text(as_table(checks) + "\n", encoding="utf-8")
    content = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "report": {"path": str(report), "sha256": sha256_of(report)},
        "shards": options.shards,
        "seed": options.seed,
        "quick": options.quick,
        "environment": environment(),
        "passed": not failed(checks),
        "checks": [dataclasses.asdict(one) for one in checks],
    }
    write_json(folder / "audit.json", content)
