"""What two runs ran on: code, lock, packages, machines."""

from collections.abc import Iterator, Mapping
from typing import Any

from soco.provenance.compare.changes import ABSENT, Change
from soco.provenance.compare.reading import Run
from soco.provenance.compare.sections import Section, changed_section

_SHORT = 12


def code_section(a: Run, b: Run) -> Section:
    """The commits that the jobs ran from.

    Equal commits with changes that were not committed may still differ.
    """
    one, other = _codes(a), _codes(b)
    data = {"a": one, "b": other}
    if any(state["commit"] is None for state in one + other):
        heading = (
            f"Code: it cannot be told whether it is the same: A {_told(one)}; B {_told(other)}."
        )
        return Section("code", heading, True, (), data)
    if one != other:
        return Section("code", f"Code: A {_told(one)}; B {_told(other)}.", True, (), data)
    if any(state["dirty"] for state in one):
        heading = f"Code: the same, {_told(one)}; what was not committed may differ."
        return Section("code", heading, False, (), data)
    return Section("code", f"Code: the same, {_told(one)}.", False, (), data)


def lock_section(a: Run, b: Run) -> Section:
    """The lock of packages that lay beside the code; what was installed is told apart."""
    one, other = ((run["lock"] or {}).get("sha256") for run in (a, b))
    data = {"a": one, "b": other}
    if one is None or other is None:
        return Section("lock", "Lock of packages: not known for both.", False, (), data)
    if one == other:
        return Section("lock", f"Lock of packages: the same ({one[:_SHORT]}).", False, (), data)
    return Section("lock", f"Lock of packages: {one[:_SHORT]} -> {other[:_SHORT]}.", True, (), data)


def package_section(a: Run, b: Run) -> Section:
    """Python and the packages that decide results, in all environments of a run together."""
    return changed_section("packages", "Packages", _of_names(_packages(a), _packages(b)), "package")


def machine_section(a: Run, b: Run) -> Section:
    """The machines that jobs ran on."""
    return changed_section(
        "machines", "Machines", _of_names(_machines(a), _machines(b)), "property"
    )


def _codes(run: Run) -> list[dict[str, Any]]:
    """The distinct states of the code, in the order of the environments.

    Of the report's where there are none.
    """
    states = [environment["code"] for environment in run["environments"]] or [run["git"]]
    keys = ("commit", "dirty", "note")
    distinct = dict.fromkeys(tuple(state.get(key) for key in keys) for state in states)
    return [dict(zip(keys, state, strict=True)) for state in distinct]


def _told(states: list[dict[str, Any]]) -> str:
    return " and ".join(map(_state_words, states))


def _state_words(state: Mapping[str, Any]) -> str:
    if state["commit"] is None:
        return f"unknown ({state['note'] or 'git could not say'})"
    dirty = " with changes that were not committed" if state["dirty"] else ""
    return f"commit {state['commit'][:_SHORT]}{dirty}"


def _packages(run: Run) -> dict[str, list[Any]]:
    """All that a run had of each package; none where it was not installed."""
    held: dict[str, list[Any]] = {}
    for environment in run["environments"]:
        for name, version in ({"python": environment["python"]} | environment["packages"]).items():
            if version is not None and version not in held.setdefault(name, []):
                held[name].append(version)
    return {name: versions for name, versions in held.items() if versions}


def _machines(run: Run) -> dict[str, list[Any]]:
    """All values of each property of the machines; a list of GPUs counts as one."""
    held: dict[str, list[Any]] = {}
    for environment in run["environments"]:
        for name, value in environment["machine"].items():
            told = ", ".join(value) or "none" if isinstance(value, list) else value
            if told not in held.setdefault(name, []):
                held[name].append(told)
    return held


def _of_names(a: Mapping[str, list[Any]], b: Mapping[str, list[Any]]) -> Iterator[Change]:
    """A change where the values of a name are not the same.

    Several are joined, their order does not count.
    """
    for name in dict.fromkeys([*a, *b]):
        one, other = a.get(name), b.get(name)
        if (one is None) != (other is None) or sorted(map(str, one or [])) != sorted(
            map(str, other or [])
        ):
            yield Change(name, _joined(one), _joined(other))


def _joined(values: list[Any] | None) -> Any:
    if values is None:
        return ABSENT
    return values[0] if len(values) == 1 else " and ".join(map(str, values))
