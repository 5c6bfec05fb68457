"""Figures beside the AP.

What was found on the way, and what a pretraining's loss and a probe came to.
"""

from typing import Any

from soco.provenance.compare.changes import changes
from soco.provenance.compare.reading import Run
from soco.provenance.compare.sections import Section, changed_section

_OF_PRETRAINING = ("final_loss", "steps", "parameters", "images", "total_batch", "peak_lr")
_OF_PROBE = ("knn", "linear", "classes", "images", "skipped")


def figure_section(a: Run, b: Run) -> Section:
    """Counts of proposals, each pretraining's last loss, each probe's accuracy."""
    return changed_section(
        "figures", "Proposals, losses and probes", changes(_told(a), _told(b)), "figure"
    )


def _told(run: Run) -> dict[str, Any]:
    report = run.report
    counts = {
        key: value
        for key, value in report.get("proposals", {}).get("counts", {}).items()
        if key != "origin"
    }
    held: dict[str, Any] = {"proposals": counts} if counts else {}
    for entry in report.get("pretraining", []):
        held[f"pretraining {entry['run']}"] = {
            key: entry[key] for key in _OF_PRETRAINING if key in entry
        }
    for entry in report.get("probes", []):
        name = f"probe {entry['probe']} {entry['initialisation']}"
        held[name] = {key: entry[key] for key in _OF_PROBE if key in entry}
    return held
