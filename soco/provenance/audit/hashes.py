"""Every file of the run hashed again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.io import fingerprint
from soco.jobs import read_record
from soco.provenance.audit.checks import Check, check
from soco.provenance.audit.reported import Reported


def check_hashes(run: Reported) -> Iterator[Check]:
    """The report's own files against their record, then the files of each rule against the report."""
    name = str(run.path)
    yield check(name, "its own record", _own_files, run)
    rules: dict[str, list[dict[str, Any]]] = {}
    for artefact in run.content["artefacts"]:
        rules.setdefault(run.content["jobs"][artefact["job"]]["rule"], []).append(artefact)
    for rule, artefacts in rules.items():
        yield check(f"files of {rule}", "size and SHA-256 in the report", _files, artefacts)


def _own_files(run: Reported) -> tuple[list[str], str]:
    record = read_record(run.own_record)
    made = {Path(output["path"]).resolve(): output for output in record["outputs"]}
    if run.path.resolve() not in made:
        return [f"{run.own_record} is of another report than {run.path}"], ""
    return _files(record["outputs"])


def _files(artefacts: list[dict[str, Any]]) -> tuple[list[str], str]:
    faults = [fault for artefact in artefacts if (fault := _fault(artefact))]
    return (
        faults,
        (
            f"{len(artefacts)} file(s), {sum(artefact['bytes'] for artefact in artefacts):,} bytes,"
            " are as made."
        ),
    )


def _fault(artefact: dict[str, Any]) -> str | None:
    path = Path(artefact["path"])
    if not path.exists():
        return f"{path} is missing"
    now = fingerprint(path)
    if now["bytes"] != artefact["bytes"]:
        return f"{path} has {now['bytes']:,} bytes and had {artefact['bytes']:,}"
    if now["sha256"] != artefact["sha256"]:
        return (
            f"{path} was changed: SHA-256 {now['sha256'][:12]}…, and it was"
            f" {artefact['sha256'][:12]}…"
        )
    return None
