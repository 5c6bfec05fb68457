"""What a check found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from soco.errors import UserError

Status = Literal["PASS", "FAIL", "SKIP"]
_TOLD = 3


@dataclass(frozen=True)
class Check:
    """One line of an audit's table.

    Attributes:
        name: What was looked at.
        compared: With what it was compared.
        status: PASS, FAIL, or SKIP where it could not be looked at.
        said: A sentence.
    """

    name: str
    compared: str
    status: Status
    said: str


def check(
    name: str, compared: str, work: Callable[..., tuple[list[str], str]], *arguments: Any
) -> Check:
    """Do a check's work.

    Args:
        name: See `Check`.
        compared: The same.
        work: Returns the faults that it found, and what to say when there is none. What it raises
            is a fault: a damaged file fails in many ways.
        arguments: Of the work.
    """
    try:
        faults, said = work(*arguments)
    except UserError as error:
        return Check(name, compared, "FAIL", str(error))
    except Exception as error:
        return Check(
            name,
            compared,
            "FAIL",
            f"{type(error).__name__}: {str(error).strip() or 'no word of why'}.",
        )
    return (
        Check(name, compared, "FAIL", listed(faults))
        if faults
        else Check(name, compared, "PASS", said)
    )


def skipped(name: str, compared: str, said: str) -> Check:
    """A check that is not done here."""
    return Check(name, compared, "SKIP", said)


def listed(faults: Sequence[str]) -> str:
    """The first faults in a sentence, and how many more there are."""
    more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
    return "; ".join(faults[:_TOLD]) + more + "."
