"""Which files of two runs have the same bytes, and at which job the runs part."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from soco.provenance.compare.jobs import Files, JobPair, paired_jobs
from soco.provenance.compare.reading import Run
from soco.provenance.compare.sections import Section, plural

_TOLD = 3


@dataclass(frozen=True)
class Stage:
    """All jobs of a rule.

    Attributes:
        rule: The rule.
        files: Of all its jobs.
        parting: Jobs whose files differ though their inputs are the same in both runs: here the
            runs part.
        pairs: All its jobs.
    """

    rule: str
    files: Files
    parting: tuple[JobPair, ...]
    pairs: tuple[JobPair, ...]


def artefact_section(a: Run, b: Run) -> Section:
    """The files of both runs, matched by their path below the folder of results."""
    stages = _stages(paired_jobs(a, b))
    lines = tuple(_words(stage) for stage in stages if stage.files.differ)
    data = {"stages": [_data(stage) for stage in stages]}
    return Section("artefacts", f"Files: {_heading(stages)}.", bool(lines), lines, data)


def _stages(pairs: Iterable[JobPair]) -> list[Stage]:
    of_rule: dict[str, list[JobPair]] = {}
    for pair in pairs:
        of_rule.setdefault(pair.rule, []).append(pair)
    return [
        Stage(
            rule,
            sum((pair.files for pair in held), Files()),
            tuple(
                pair for pair in held if pair.in_both and pair.files.other and not pair.other_inputs
            ),
            tuple(held),
        )
        for rule, held in of_rule.items()
    ]


def _heading(stages: list[Stage]) -> str:
    files = sum((stage.files for stage in stages), Files())
    timed = (
        f"; {plural(len(files.timed), 'file')} that tell of times left out" if files.timed else ""
    )
    if not files.differ:
        return (
            f"the same byte for byte, all {len(files.same)}{timed}"
            if files.same
            else "none is told of"
        )
    unlike = [plural(len(files.other), "file") + " with other bytes"] if files.other else []
    unlike += [
        f"{len(found)} only in {side}"
        for side, found in (("A", files.only_a), ("B", files.only_b))
        if found
    ]
    first = next(place for place, stage in enumerate(stages) if stage.files.differ)
    before = (
        f"; the same up to {stages[first - 1].rule}, not from {stages[first].rule} on"
        if first
        else ""
    )
    return f"{', '.join(unlike)}, {len(files.same)} the same{timed}{before}"


def _words(stage: Stage) -> str:
    files, found = stage.files, []
    if files.other:
        of_both = len(files.other) + len(files.same)
        found.append(
            f"{len(files.other)} of {plural(of_both, 'file')} with other bytes"
            f" ({_some(files.other)})"
        )
    for side, paths in (("A", files.only_a), ("B", files.only_b)):
        if paths:
            found.append(f"{plural(len(paths), 'file')} only in {side} ({_some(paths)})")
    told = f"{stage.rule}: {'; '.join(found)}"
    if stage.parting:
        return f"{told}. The runs part here: {_cause(stage.parting)}."
    return f"{told}, as its inputs differ" if files.other else told


def _cause(parting: tuple[JobPair, ...]) -> str:
    causes = dict.fromkeys(change.words() for pair in parting for change in pair.params)
    if causes:
        return f"same inputs, but {', '.join(causes)}"
    environment = dict.fromkeys(part for pair in parting for part in pair.environment)
    inside = [part for part in environment if part != "machine"]
    if inside:  # JSON, Parquet and weights carry the origin of the job that made them
        return (
            f"same inputs and parameters, but other {' and '.join(inside)}, of which files may tell"
            " inside"
        )
    return "same inputs and parameters" + (
        ", but another machine" if environment else " on the same machine"
    )


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:_TOLD]) + (", …" if len(paths) > _TOLD else "")


def _data(stage: Stage) -> dict[str, Any]:
    files = {name: list(getattr(stage.files, name)) for name in Files.__dataclass_fields__}
    parting = [
        {"wildcards": dict(pair.wildcards), "params": [change.data() for change in pair.params],
         "environment": list(pair.environment)}
        for pair in stage.parting
    ]  # fmt: skip
    return {"rule": stage.rule, "files": files, "parting": parting}
