"""Which files of two runs have the same bytes, and at which rule the runs diverge."""

from dataclasses import dataclass
from typing import Any

from soco.provenance.changes import plural
from soco.provenance.compare.jobs import Files, JobPair, paired_jobs
from soco.provenance.compare.sections import Section
from soco.provenance.reading import Run

_SHOWN = 3


@dataclass(frozen=True)
class RulePairs:
    """All jobs of a rule.

    Attributes:
        rule: The rule's name.
        pairs: Its jobs in both runs.
    """

    rule: str
    pairs: tuple[JobPair, ...]

    @property
    def files(self) -> Files:
        """The files of all jobs."""
        return sum((pair.files for pair in self.pairs), Files())

    @property
    def diverging(self) -> list[JobPair]:
        """The jobs at which the runs diverge."""
        return [pair for pair in self.pairs if pair.diverges]


def artefact_section(a: Run, b: Run) -> Section:
    """The files of both runs, matched by their path relative to the folder of results."""
    of_rule: dict[str, list[JobPair]] = {}
    for pair in paired_jobs(a, b):
        of_rule.setdefault(pair.rule, []).append(pair)
    rules = [RulePairs(rule, tuple(pairs)) for rule, pairs in of_rule.items()]
    lines = tuple(_words(rule) for rule in rules if rule.files.differ)
    data = {"rules": [_data(rule) for rule in rules]}
    return Section("artefacts", f"Files: {_heading(rules)}.", bool(lines), lines, data)


def _heading(rules: list[RulePairs]) -> str:
    files = sum((rule.files for rule in rules), Files())
    varying = f"; {plural(len(files.varying), 'file')} with times ignored" if files.varying else ""
    if not files.differ:
        return f"all {len(files.same)} equal byte for byte{varying}" if files.same else "none"
    counts = {
        f"{plural(len(files.other), 'file')} with other bytes": files.other,
        f"{len(files.only_a)} only in A": files.only_a,
        f"{len(files.only_b)} only in B": files.only_b,
    }
    unlike = ", ".join(words for words, paths in counts.items() if paths)
    first = next(index for index, rule in enumerate(rules) if rule.files.differ)
    before = f"; the same up to {rules[first - 1].rule}, different from {rules[first].rule} onwards"
    return f"{unlike}, {len(files.same)} the same{varying}{before if first else ''}"


def _words(rule: RulePairs) -> str:
    files, differences = rule.files, []
    if files.other:
        of_both = plural(len(files.other) + len(files.same), "file")
        other = f"{len(files.other)} of {of_both} with other bytes ({_some(files.other)})"
        differences.append(other)
    for side, paths in (("A", files.only_a), ("B", files.only_b)):
        if paths:
            differences.append(f"{plural(len(paths), 'file')} only in {side} ({_some(paths)})")
    line = f"{rule.rule}: {'; '.join(differences)}"
    if rule.diverging:
        return f"{line}. The runs diverge here: {_cause(rule.diverging)}."
    return f"{line}, because its inputs differ" if files.other else line


def _cause(diverging: list[JobPair]) -> str:
    causes = dict.fromkeys(change.words() for pair in diverging for change in pair.params)
    if causes:
        return f"same inputs, but {', '.join(causes)}"
    environment = dict.fromkeys(part for pair in diverging for part in pair.environment)
    inside = [part for part in environment if part != "machine"]
    if inside:  # JSON, Parquet and weights contain the origin of the job that made them
        other = " and ".join(inside)
        return f"same inputs and parameters, but other {other}, which may be in the files' origins"
    machine = ", but another machine" if environment else " on the same machine"
    return f"same inputs and parameters{machine}"


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")


def _data(rule: RulePairs) -> dict[str, Any]:
    diverging = [
        {
            "wildcards": dict(pair.wildcards),
            "params": [change.data() for change in pair.params],
            "environment": list(pair.environment),
        }
        for pair in rule.diverging
    ]
    files = {name: list(paths) for name, paths in vars(rule.files).items()}
    return {"rule": rule.rule, "files": files, "diverging": diverging}
