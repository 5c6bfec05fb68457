"""Rebuild the report from the files and records, and compare it section by section."""

from collections.abc import Iterator
from typing import Any

from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.reported import Reported
from soco.provenance.changes import changes
from soco.report.collect import collect
from soco.report.provenance import redo_commands

# `made` and `git` differ in a report that is built later; `lock` has its own check.
_NOT_COMPARED = ("made", "git", "lock")


def check_contents(run: Reported) -> Iterator[Check]:
    """Check each section: results, protocols, jobs, hashes, digests of the data."""
    again: dict[str, Any] = {}
    compared = "the files and records, collected again"
    yield check("sections of the report", compared, _collect, run, again)
    for key in (key for key in again if key in run.content and key not in _NOT_COMPARED):
        yield check(f"report: {key}", compared, _section, key, run.content[key], again[key])
    if again:
        yield check("protocol of every AP", "the report", _protocols, run)


def _collect(run: Reported, again: dict[str, Any]) -> Outcome:
    inputs = run.inputs()
    again |= collect(inputs, read_table(inputs.store, PROPOSAL_SCHEMA))
    # These commands name the commit of the code that built the report, not of this audit.
    git = run.content.get("git", {"commit": None})
    again["redo"] = redo_commands(git, run.content["environments"])
    # Both ways: a section that was added by hand shows as well.
    extra = sorted(run.content.keys() ^ again.keys())
    faults = [f"the key {key} is in one of the two only" for key in extra]
    return faults, f"The report has {len(again)} sections."


def _section(key: str, reported: Any, again: Any) -> Outcome:
    differences = changes(reported, again, key)
    return [change.sentence("in the report", "in the files") for change in differences], "Equal."


def _protocols(run: Reported) -> Outcome:
    rows = [row for task in run.content["results"] for row in task["rows"]]
    faults = [
        f"the AP of {row['task']} from {row['initialisation']} has no protocol"
        for row in rows
        if not row.get("protocol")
    ]
    return faults, f"All {len(rows)} AP have a protocol."
