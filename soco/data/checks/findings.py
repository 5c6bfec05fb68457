"""What a check found: how often, where, and what is done about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from soco.data.checks.sentences import SENTENCES, Kind
from soco.errors import printable

SplitName = Literal["train", "val", "both"]

MOST_DROPPED = 0.1
"""Share of dropped images, or objects, above which a split is refused rather than repaired."""

LONGEST = 160
"""Characters of a name or value in a finding."""

_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        kind: `refused`: the set cannot be used; `repaired`: the copy that is used differs from the
            file; `noted`: it is used as it is.
        split: The split that it was found in, or `both`.
        count: How many images, objects or categories are affected.
        sentence: What was found, how often, the first few, and what is done about it.
        code: What kind of fault it is: a key of `SENTENCES`, or a UserError's code.
    """

    kind: Kind
    split: SplitName
    count: int
    sentence: str
    code: str


class Findings:
    """The findings of one split, or of both together, in the order of the checks."""

    def __init__(self, split: SplitName) -> None:
        self.split: SplitName = split
        self.all: list[Finding] = []

    def add(self, code: str, offenders: Iterable[Any], **values: Any) -> None:
        """Add a finding if there are offenders.

        Args:
            code: A key of `SENTENCES`.
            offenders: Names or ids; the sentence shows the first three.
            values: The fields of the sentence.
        """
        offenders = list(offenders)
        if not offenders:
            return
        kind, what, action = SENTENCES[code]
        shown = [printable(str(offender), LONGEST) for offender in offenders[:_SHOWN]]
        shown += ["..."] if len(offenders) > _SHOWN else []
        sentence = (
            f"{what.format(**values)}: {len(offenders)} ({', '.join(shown)});"
            f" {action.format(**values)}."
        )
        self.all.append(Finding(kind, self.split, len(offenders), sentence, code))

    def has(self, kind: Kind) -> bool:
        """Whether any finding is of this kind."""
        return any(finding.kind == kind for finding in self.all)
