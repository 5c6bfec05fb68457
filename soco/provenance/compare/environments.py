"""The environments of two runs: code, lock, packages, machines."""

from collections.abc import Iterator, Mapping
from typing import Any

from soco.provenance.changes import ABSENT, Change
from soco.provenance.compare.data import SHORT
from soco.provenance.compare.sections import Section, changed_section
from soco.provenance.reading import Run


def code_section(a: Run, b: Run) -> Section:
    """The commits of the jobs; with uncommitted changes, equal commits may still differ."""
    one, other = _codes(a), _codes(b)
    unknown = any(state["commit"] is None for state in one + other)
    if unknown or one != other:
        start = "unknown whether it is the same: " if unknown else ""
        words = f"{start}A {_words(one)}; B {_words(other)}"
    else:
        dirty = any(state["dirty"] for state in one)
        words = f"the same, {_words(one)}{'; the uncommitted changes may differ' if dirty else ''}"
    data = {"a": one, "b": other}
    return Section("code", f"Code: {words}.", unknown or one != other, (), data)


def lock_section(a: Run, b: Run) -> Section:
    """The lock file of the code; installed packages have their own section."""
    one, other = ((run["lock"] or {}).get("sha256") for run in (a, b))
    if one is None or other is None:
        words = "unknown in A or B"
    else:
        same = one == other
        words = f"the same ({one[:SHORT]})" if same else f"{one[:SHORT]} -> {other[:SHORT]}"
    differs = None not in (one, other) and one != other
    return Section("lock", f"Lock file: {words}.", differs, (), {"a": one, "b": other})


def package_section(a: Run, b: Run) -> Section:
    """Python and the packages that affect results, over all environments of a run."""
    one, other = (
        _values({"python": environment["python"]} | environment["packages"] for environment in run)
        for run in (a["environments"], b["environments"])
    )
    return changed_section("packages", "Packages", _of_names(one, other), "package")


def machine_section(a: Run, b: Run) -> Section:
    """The machines that jobs ran on; a list of GPUs counts as one value."""
    one, other = (
        _values(environment["machine"] for environment in run)
        for run in (a["environments"], b["environments"])
    )
    return changed_section("machines", "Machines", _of_names(one, other), "property")


def _codes(run: Run) -> list[dict[str, Any]]:
    """The distinct states of the code of the jobs; without jobs, of the report."""
    states = [environment["code"] for environment in run["environments"]] or [run["git"]]
    keys = ("commit", "dirty", "note")
    distinct = dict.fromkeys(tuple(state.get(key) for key in keys) for state in states)
    return [dict(zip(keys, state, strict=True)) for state in distinct]


def _words(states: list[dict[str, Any]]) -> str:
    return " and ".join(
        f"unknown ({state['note'] or 'git failed'})"
        if state["commit"] is None
        else f"commit {state['commit'][:SHORT]}"
        + (" with uncommitted changes" if state["dirty"] else "")
        for state in states
    )


def _values(mappings: Iterator[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The distinct values of each name; None does not count."""
    values: dict[str, list[Any]] = {}
    for mapping in mappings:
        for name, value in mapping.items():
            plain = ", ".join(value) or "none" if isinstance(value, list) else value
            if plain is not None and plain not in values.setdefault(name, []):
                values[name].append(plain)
    return {name: distinct for name, distinct in values.items() if distinct}


def _of_names(a: Mapping[str, list[Any]], b: Mapping[str, list[Any]]) -> Iterator[Change]:
    """A change for each name with different values; their order does not count."""
    for name in dict.fromkeys([*a, *b]):
        if sorted(map(str, a.get(name, []))) != sorted(map(str, b.get(name, []))):
            yield Change(name, _joined(a.get(name)), _joined(b.get(name)))


def _joined(values: list[Any] | None) -> Any:
    if values is None:
        return ABSENT
    return values[0] if len(values) == 1 else " and ".join(map(str, values))
