"""`soco compare`: all differences between two runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.errors import printable
from soco.io import write_json
from soco.provenance.changes import changes
from soco.provenance.compare.artefacts import artefact_section
from soco.provenance.compare.costs import cost_section
from soco.provenance.compare.data import data_section
from soco.provenance.compare.environments import (
    code_section,
    lock_section,
    machine_section,
    package_section,
)
from soco.provenance.compare.results import other_section, result_section
from soco.provenance.compare.sections import Section, changed_section
from soco.provenance.reading import Run, read_run

SAME, OTHER = 0, 1
FORM = 2
"""The version of the JSON form of a comparison."""

_RESULTS = ("figures", "results")


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs.

    Attributes:
        a: The first run.
        b: The second run.
        sections: From the inputs of the runs to their results and costs.
    """

    a: Run
    b: Run
    sections: tuple[Section, ...]

    @property
    def same_results(self) -> bool:
        """Whether both runs have the same results, regardless of machines and times."""
        return not any(section.differs for section in self.sections if section.name in _RESULTS)

    def words(self) -> str:
        """The whole comparison as plain text; one line for a section without differences."""
        lines = [f"{side}: {_title(run)}" for side, run in (("A", self.a), ("B", self.b))]
        for section in self.sections:
            lines += [section.heading, *(f"  {line}" for line in section.lines)]
        return "\n".join(map(printable, lines))

    def data(self) -> dict[str, Any]:
        """The same as data: `schema`, `a`, `b`, `same_results`, and `sections` by name."""
        sections = {
            section.name: {"differs": section.differs, "heading": section.heading} | section.data
            for section in self.sections
        }
        runs = {
            side: {"report": str(run.path), "run": run["run"], "commit": run["git"]["commit"]}
            for side, run in (("a", self.a), ("b", self.b))
        }
        return {"schema": FORM} | runs | {"same_results": self.same_results, "sections": sections}


def compare_runs(a: Run, b: Run) -> Comparison:
    """Compare two runs: configuration, code, data, files, results, costs."""
    sections = (
        changed_section("configuration", "Configuration", changes(a["config"], b["config"])),
        code_section(a, b),
        lock_section(a, b),
        package_section(a, b),
        machine_section(a, b),
        data_section(a, b),
        artefact_section(a, b),
        other_section(a, b),
        result_section(a, b),
        cost_section(a, b),
    )
    return Comparison(a, b, sections)


def compare(a: Path, b: Path, output: Path | None) -> int:
    """Print the differences between two runs, and write them as JSON if `output` is given.

    Returns:
        0 if both have the same results, otherwise 1. As with `diff`, the command's exit code is 2
        if it cannot compare.

    Raises:
        UserError: A file is missing or is not a report of this version.
    """
    comparison = compare_runs(read_run(a), read_run(b))
    print(comparison.words())
    if output:
        write_json(output, comparison.data())
    return SAME if comparison.same_results else OTHER


def _title(run: Run) -> str:
    started = run["run"]["started"]
    return f"{run.path}" + (f", started {started}" if started else "")
