"""The report made again from the files and records, section by section."""

from collections.abc import Iterator
from typing import Any

from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA
from soco.jobs import read_record
from soco.provenance.audit.checks import Check, check
from soco.provenance.audit.reported import Reported
from soco.report import report_inputs
from soco.report.collect import collect
from soco.report.provenance import redo_commands

_OF_ITS_MAKING = (
    "made",
    "git",
)  # what differs in a report that is made later; the lock has a check of its own
_LOCK = "lock"


def check_contents(run: Reported) -> Iterator[Check]:
    """One check a section of report.json: figures, protocols, jobs, hashes, digests of the data."""
    name, compared = "sections of the report", "the files and records, collected again"
    again: dict[str, Any] = {}

    def work() -> tuple[list[str], str]:
        again.update(_collected(run))
        extra = sorted(run.content.keys() ^ again.keys())
        return [
            f"the key {key} is in one of the two alone" for key in extra
        ], f"The report has {len(again)} sections."

    yield check(name, compared, work)
    for key in (key for key in again if key in run.content and key not in (*_OF_ITS_MAKING, _LOCK)):
        yield check(f"report: {key}", compared, _section, key, run.content[key], again[key])
    if again:
        yield check("protocol of every AP", "the report", _protocols, run)


def differences(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """Where two plain values differ, as sentences without their point."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*ours, *theirs]):
            inner = f"{place}.{key}" if place else str(key)
            if key in ours and key in theirs:
                yield from differences(ours[key], theirs[key], inner)
            else:
                yield f"{inner} is {'not ' if key in theirs else ''}in the report"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{place}.{number}")
    elif ours != theirs:
        yield f"{place or 'it'} is {_short(ours)} in the report and {_short(theirs)} in the files"


def _collected(run: Reported) -> dict[str, Any]:
    record = read_record(run.own_record)
    inputs = report_inputs(record["params"])
    # Of the code that made the report.
    redo = redo_commands(run.content.get("git", {"commit": None}), run.content["environments"])
    return collect(inputs, read_table(inputs.store, PROPOSAL_SCHEMA)) | {"redo": redo}


def _section(key: str, told: Any, again: Any) -> tuple[list[str], str]:
    return list(differences(told, again, key)), "Equal."


def _protocols(run: Reported) -> tuple[list[str], str]:
    rows = [row for task in run.content["results"] for row in task["rows"]]
    without = [
        f"{row['task']} from {row['initialisation']}" for row in rows if not row.get("protocol")
    ]
    return [f"The AP of {name} has no protocol" for name in without], f"{len(rows)} AP with theirs."


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else f"{text[:60]}…"
