"""What a check found, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from soco.errors import printable

Kind = Literal["refused", "mended", "noted"]
HalfName = Literal["train", "val", "both"]

_SHOWN = 3

LONGEST = 160
"""Characters of a name or value in a finding."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        kind: `refused`: the set cannot be used; `mended`: the copy that is used differs from the
            file; `noted`: it is used as it is.
        half: The half that it was found in, or `both`.
        count: How many images, objects or categories it is about.
        sentence: What was found, how often, the first few, and what is done about it.
    """

    kind: Kind
    half: HalfName
    count: int
    sentence: str


class Findings:
    """The findings of one half, or of both together, in the order of the checks."""

    def __init__(self, half: HalfName) -> None:
        self.half: HalfName = half
        self.all: list[Finding] = []

    def add(self, kind: Kind, what: str, offenders: Iterable[Any], then: str) -> None:
        """Keep a finding, if there are offenders.

        Args:
            kind: See `Finding`.
            what: Whom it is about, such as `boxes without an area`.
            offenders: Names or ids; the first three are told.
            then: What is done or to be done about it.
        """
        offenders = list(offenders)
        if not offenders:
            return
        shown = [printable(str(offender), LONGEST) for offender in offenders[:_SHOWN]]
        shown += ["..."] if len(offenders) > _SHOWN else []
        sentence = f"{what}: {len(offenders)} ({', '.join(shown)}); {then}."
        self.all.append(Finding(kind, self.half, len(offenders), sentence))

    def has(self, kind: Kind) -> bool:
        """Whether any finding is of this kind."""
        return any(finding.kind == kind for finding in self.all)
