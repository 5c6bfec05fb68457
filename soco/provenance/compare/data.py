"""Whether two runs had the same data: images, annotations, weights, boxes of a file."""

from typing import Any

from soco.provenance.compare.reading import Run
from soco.provenance.compare.sections import Section, plural

_SHORT = 12


def data_section(a: Run, b: Run) -> Section:
    """The data of both runs, matched by kind and name and held together by their digest.

    The same content at another path counts as the same.
    """
    one, other = _by_name(a), _by_name(b)
    entries = [
        _compared(key, one.get(key), other.get(key)) for key in dict.fromkeys([*one, *other])
    ]
    lines = tuple(_words(entry) for entry in entries if entry["state"] != "same")
    heading = f"Data: {_heading(entries)}."
    return Section("data", heading, bool(lines), lines, {"entries": entries})


def _by_name(run: Run) -> dict[tuple[str, str], dict[str, Any]]:
    return {(entry["kind"], entry["name"]): entry for entry in run["data"]}


def _compared(
    key: tuple[str, str], a: dict[str, Any] | None, b: dict[str, Any] | None
) -> dict[str, Any]:
    """`kind`, `name`, `state` (same, other, unknown, only in A, only in B), `a` and `b`."""
    if a is None or b is None:
        state = "only in B" if a is None else "only in A"
    elif not a["digest"] or not b["digest"]:
        state = "unknown"
    else:
        state = "same" if a["digest"] == b["digest"] else "other"
    return {"kind": key[0], "name": key[1], "state": state, "a": a, "b": b}


def _heading(entries: list[dict[str, Any]]) -> str:
    same = sum(entry["state"] == "same" for entry in entries)
    if same == len(entries):
        return f"the same, {plural(same, 'set')} by their digests" if entries else "none is told of"
    return f"{same} of {plural(len(entries), 'set')} the same"


def _words(entry: dict[str, Any]) -> str:
    name, state, a, b = (entry[key] for key in ("name", "state", "a", "b"))
    told = name if name.startswith(entry["kind"]) else f"{entry['kind']} {name}"
    if state.startswith("only"):
        return f"{told}: {state} ({(a or b)['path']})"
    if state == "unknown":
        return f"{told}: no digest in both, so that they cannot be compared"
    files = f"; {a['files']} -> {b['files']} files" if a["files"] != b["files"] else ""
    return f"{told}: other content, digest {a['digest'][:_SHORT]} -> {b['digest'][:_SHORT]}{files}"
