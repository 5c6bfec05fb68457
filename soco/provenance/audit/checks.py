"""The result of one check, and the table of all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tabulate import tabulate

from soco.errors import UserError, printable

Status = Literal["PASS", "FAIL", "SKIP"]
Outcome = tuple[list[str], str]
"""The faults that a check found, and the sentence to print if there are none."""

_SHOWN = 3
_WIDTH = 60


@dataclass(frozen=True)
class Check:
    """One row of an audit's table.

    Attributes:
        name: What was checked.
        compared: What it was compared with.
        status: PASS, FAIL, or SKIP if it could not be checked.
        said: The outcome in a sentence.
    """

    name: str
    compared: str
    status: Status
    said: str


def check(name: str, compared: str, work: Callable[..., Outcome], *arguments: Any) -> Check:
    """Run a check.

    Args:
        name: See `Check`.
        compared: See `Check`.
        work: Finds the faults. An exception counts as a fault: damaged files fail in many ways.
        arguments: Arguments of the work.
    """
    try:
        faults, success = work(*arguments)
    except UserError as error:
        return Check(name, compared, "FAIL", str(error))
    # Anything: one damaged file must not end the audit before the other checks.
    except Exception as error:
        reason = str(error).strip() or "no further message"
        return Check(name, compared, "FAIL", f"{type(error).__name__}: {reason}.")
    if faults:
        return Check(name, compared, "FAIL", listed(faults))
    return Check(name, compared, "PASS", success)


def listed(faults: Sequence[str]) -> str:
    """The first faults as a sentence, with the number of the others."""
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return "; ".join(faults[:_SHOWN]) + more + "."


def failed(checks: Sequence[Check]) -> list[Check]:
    """The checks that failed."""
    return [one for one in checks if one.status == "FAIL"]


def as_table(checks: Sequence[Check]) -> str:
    """One row for each check, and a line with the totals."""
    rows = [(one.status, printable(one.name), one.compared, printable(one.said)) for one in checks]
    table = tabulate(
        rows,
        tablefmt="plain",
        disable_numparse=True,
        maxcolwidths=[None, None, None, _WIDTH],
        break_long_words=False,
        break_on_hyphens=False,
    )
    counts = [
        f"{sum(one.status == status for one in checks)} {status}"
        for status in ("PASS", "FAIL", "SKIP")
    ]
    return f"{table}\n\n{len(checks)} checks: {', '.join(counts)}."
