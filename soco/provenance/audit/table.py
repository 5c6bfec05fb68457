"""An audit's table, as text and as JSON."""

import dataclasses
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from soco.environment import environment
from soco.errors import printable
from soco.io import atomic_write, sha256_of, write_json
from soco.provenance.audit.checks import Check
from soco.provenance.audit.run import Options

_WIDTH = 120


def failed(checks: Sequence[Check]) -> list[Check]:
    """Those that fail."""
    return [one for one in checks if one.status == "FAIL"]


def as_table(checks: Sequence[Check]) -> str:
    """A line a check with what it says, and a line of sums."""
    checks = [
        dataclasses.replace(one, name=printable(one.name), said=printable(one.said))
        for one in checks
    ]
    names = max((len(one.name) for one in checks), default=0)
    compared = max((len(one.compared) for one in checks), default=0)
    lines = []
    for one in checks:
        head = f"{one.status}  {one.name:{names}}  {one.compared:{compared}}  "
        said = textwrap.wrap(
            one.said, max(50, _WIDTH - len(head)), break_long_words=False, break_on_hyphens=False
        ) or [""]
        lines += [head + said[0], *(" " * len(head) + more for more in said[1:])]
    return "\n".join([*lines, "", _sums(checks)])


def write_audit(folder: Path, report: Path, options: Options, checks: Sequence[Check]) -> None:
    """Write audit.txt and audit.json into a folder.

    Args:
        folder: Receives both.
        report: What was audited.
        options: How.
        checks: What was found.
    """
    with atomic_write(folder / "audit.txt") as temporary:
        temporary.write_text(as_table(checks) + "\n", encoding="utf-8")
    told = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "report": {"path": str(report), "sha256": sha256_of(report)},
        "shards": options.shards,
        "seed": options.seed,
        "quick": options.quick,
        "environment": environment(),
        "passed": not failed(checks),
        "checks": [dataclasses.asdict(one) for one in checks],
    }
    write_json(folder / "audit.json", told)


def _sums(checks: Sequence[Check]) -> str:
    counts = ", ".join(
        f"{sum(one.status == status for one in checks)} {status}"
        for status in ("PASS", "FAIL", "SKIP")
    )
    return f"{len(checks)} checks: {counts}."
