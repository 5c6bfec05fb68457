"""All that differs between two runs."""

from dataclasses import dataclass
from typing import Any

from soco.errors import printable
from soco.provenance.compare.artefacts import artefact_section
from soco.provenance.compare.changes import changes
from soco.provenance.compare.costs import cost_section
from soco.provenance.compare.data import data_section
from soco.provenance.compare.environments import (
    code_section,
    lock_section,
    machine_section,
    package_section,
)
from soco.provenance.compare.figures import figure_section
from soco.provenance.compare.reading import Run
from soco.provenance.compare.results import result_section
from soco.provenance.compare.sections import Section, changed_section

_RESULTS = ("figures", "results")

FORM = 1
"""Of the JSON that a comparison is written as."""


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        a: The run that is changed from.
        b: The run that is changed to.
        sections: From what went in, to what came out, to what it cost.
    """

    a: Run
    b: Run
    sections: tuple[Section, ...]

    @property
    def same_results(self) -> bool:
        """Whether both runs came to the same figures.

        How, on what machine and in what time does not count.
        """
        return not any(section.differs for section in self.sections if section.name in _RESULTS)

    def words(self) -> str:
        """The whole comparison as plain text; of what is the same, one line a section."""
        blocks = [
            "\n".join(
                [
                    printable(f"{side}: {_run_words(run)}")
                    for side, run in (("A", self.a), ("B", self.b))
                ]
            )
        ]
        for section in self.sections:
            blocks.append(
                "\n".join(
                    map(printable, [section.heading, *(f"  {line}" for line in section.lines)])
                )
            )
        return "\n".join(blocks)

    def data(self) -> dict[str, Any]:
        """The same for programs: `schema`, `a`, `b`, `same_results`, and `sections` by name."""
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
    """Compare two runs, in the order in which a run is made.

    Configuration, code, data, files, results, costs.
    """
    sections = (
        changed_section("configuration", "Configuration", changes(a["config"], b["config"])),
        code_section(a, b),
        lock_section(a, b),
        package_section(a, b),
        machine_section(a, b),
        data_section(a, b),
        artefact_section(a, b),
        figure_section(a, b),
        result_section(a, b),
        cost_section(a, b),
    )
    return Comparison(a, b, sections)


def _run_words(run: Run) -> str:
    started = run["run"]["started"]
    return f"{run.path}" + (f", begun {started}" if started else "")
