"""The data of two runs: images, annotations, weights, imported boxes."""

from typing import Any

from soco.provenance.changes import plural
from soco.provenance.compare.sections import Section
from soco.provenance.reading import Run

SHORT = 12
"""Characters of a digest, or a commit, that are shown."""


def data_section(a: Run, b: Run) -> Section:
    """The data of both runs, matched by kind and name, compared by digest and not by path."""
    sides = [{(entry["kind"], entry["name"]): entry for entry in run["data"]} for run in (a, b)]
    entries = [
        {"kind": key[0], "name": key[1]} | _compared(*(side.get(key) for side in sides))
        for key in dict.fromkeys([*sides[0], *sides[1]])
    ]
    lines = tuple(_words(entry) for entry in entries if entry["state"] != "same")
    same = len(entries) - len(lines)
    if not entries:
        heading = "Data: not recorded."
    elif lines:
        heading = f"Data: {same} of {plural(len(entries), 'set')} the same."
    else:
        heading = f"Data: the same, {plural(same, 'set')} by digest."
    return Section("data", heading, bool(lines), lines, {"entries": entries})


def _compared(a: dict[str, Any] | None, b: dict[str, Any] | None) -> dict[str, Any]:
    """`state` (same, other, unknown, only in A, only in B), `a` and `b`."""
    if a is None or b is None:
        state = "only in B" if a is None else "only in A"
    elif not a["digest"] or not b["digest"]:
        state = "unknown"
    else:
        state = "same" if a["digest"] == b["digest"] else "other"
    return {"state": state, "a": a, "b": b}


def _words(entry: dict[str, Any]) -> str:
    kind, name, state, a, b = (entry[key] for key in ("kind", "name", "state", "a", "b"))
    title = name if name.startswith(kind) else f"{kind} {name}"
    if state.startswith("only"):
        return f"{title}: {state} ({(a or b)['path']})"
    if state == "unknown":
        return f"{title}: a digest is missing, so they cannot be compared"
    files = f"; {a['files']} -> {b['files']} files" if a["files"] != b["files"] else ""
    return f"{title}: other content, digest {a['digest'][:SHORT]} -> {b['digest'][:SHORT]}{files}"
