"""Configuration, lock and code of the run, against what is here now."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soco.environment import REPOSITORY, git_state
from soco.provenance.audit.checks import Check, check, skipped
from soco.provenance.audit.contents import differences
from soco.provenance.audit.reported import Reported
from soco.report.provenance import LOCK, lock_state


def check_configuration(
    run: Reported, config: Mapping[str, Any] | None, lock: Path | None
) -> Iterator[Check]:
    """Configuration, lock, packages, code.

    Args:
        run: The run.
        config: The present configuration, whole and plain; None where none is given.
        lock: The present lock of packages; None: the repository's.
    """
    if config is None:
        yield skipped(
            "configuration", "the present one", "None was given; name its files with --config."
        )
    else:
        yield check("configuration", "the present one", _configuration, run.config, config)
    yield check("lock", "SHA-256 in the report", _lock, run, lock)
    yield check("packages of the jobs", "the lock", _packages, run, lock or REPOSITORY / LOCK)
    yield _code(run)


def pinned(lock: Path) -> dict[str, str]:
    """The versions that a lock pins, by the name as pip compares names."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE)
    return {_plain_name(name): version for name, version in pins}


def _configuration(told: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], str]:
    faults = [
        fault.replace(" in the files", " now") for fault in differences(dict(told), dict(now))
    ]
    return faults, "Every key is as it was."


def _lock(run: Reported, lock: Path | None) -> tuple[list[str], str]:
    told, now = run.content["lock"], lock_state(lock)
    same = told["sha256"] == now["sha256"] and told["sha256"] is not None
    return [] if same else [
        f"{lock or told['path']} is not the lock that the run was made with"
    ], "The same lock."


def _packages(run: Reported, lock: Path) -> tuple[list[str], str]:
    pins = pinned(lock)
    held = [
        (name, version)
        for runs_in in run.content["environments"]
        for name, version in runs_in["packages"].items()
    ]
    known = [(name, version) for name, version in held if _plain_name(name) in pins]
    other = [
        f"jobs ran with {name} {version}, and {pins[_plain_name(name)]} is pinned"
        for name, version in known
        if pins[_plain_name(name)] != version
    ]
    return (
        other,
        (
            f"{len(known)} package(s) of {len(run.content['environments'])} environment(s) are"
            " those pinned."
        ),
    )


def _code(run: Reported) -> Check:
    name, compared = "code of the jobs", "the code that audits"
    now = git_state(REPOSITORY)
    codes = [runs_in["code"] for runs_in in run.content["environments"]]
    commits = {code["commit"] for code in codes}
    if None in (*commits, now["commit"]):
        return skipped(name, compared, "The commit is not known on both sides.")
    if any(code["dirty"] for code in codes) or now["dirty"]:
        said = (
            "Files differed from the commit, in the run or now: what is done again below may be"
            " other code."
        )
        return skipped(name, compared, said)
    others = sorted(commits - {now["commit"]})
    if others:
        said = (
            f"Jobs ran code of {', '.join(others)}; this is {now['commit']}, by which they are done"
            " again below."
        )
        return skipped(name, compared, said)
    return Check(name, compared, "PASS", f"Both are of {now['commit']}.")


def _plain_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
