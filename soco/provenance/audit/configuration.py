"""Compare configuration, lock, packages and code of the run with the current ones."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soco.environment import REPOSITORY, git_state
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.reported import Reported
from soco.provenance.changes import changes
from soco.report.provenance import LOCK, lock_state


def check_configuration(
    run: Reported, config: Mapping[str, Any] | None, lock: Path | None
) -> Iterator[Check]:
    """Check configuration, lock, packages and code.

    Args:
        run: The run.
        config: The current configuration, complete and plain; None if none is given.
        lock: The current lock file; None takes the repository's.
    """
    name, compared = "configuration", "the current one"
    if config is None:
        yield Check(name, compared, "SKIP", "None is given; name its files with --config.")
    else:
        yield check(name, compared, _configuration, run.config, config)
    yield check("lock", "SHA-256 in the report", _lock, run, lock)
    yield check("packages of the jobs", "the lock", _packages, run, lock or REPOSITORY / LOCK)
    yield _code(run)


def _configuration(reported: Mapping[str, Any], now: Mapping[str, Any]) -> Outcome:
    faults = [change.sentence("in the report", "now") for change in changes(reported, now)]
    return faults, "All keys are equal."


def _lock(run: Reported, lock: Path | None) -> Outcome:
    reported, now = run.content["lock"], lock_state(lock)
    # None: there was no lock, and two missing locks are not the same one.
    if reported["sha256"] is not None and reported["sha256"] == now["sha256"]:
        return [], "The same lock."
    return [f"{lock or reported['path']} is not the lock of the run"], ""


def _packages(run: Reported, lock: Path) -> Outcome:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE)
    pinned = {_plain_name(name): version for name, version in pins}
    used = [
        (name, version, pinned[_plain_name(name)])
        for environment in run.content["environments"]
        for name, version in environment["packages"].items()
        if _plain_name(name) in pinned
    ]
    faults = [
        f"jobs ran with {name} {version}, but {pin} is pinned"
        for name, version, pin in used
        if version != pin
    ]
    return faults, f"{len(used)} package(s) have the pinned version."


def _code(run: Reported) -> Check:
    now = git_state(REPOSITORY)
    codes = [environment["code"] for environment in run.content["environments"]]
    commits = {code["commit"] for code in codes}
    others = sorted(str(commit) for commit in commits - {now["commit"]})
    reason = ""
    if None in (*commits, now["commit"]):
        reason = "The commit of the jobs or of this code is unknown."
    elif any(code["dirty"] for code in (*codes, now)):
        reason = (
            "There are uncommitted changes, in the run or now: jobs may be repeated by other code."
        )
    elif others:
        reason = f"Jobs ran commit {', '.join(others)}; they are repeated by {now['commit']}."
    name, compared = "code of the jobs", "the code that runs the audit"
    if reason:
        return Check(name, compared, "SKIP", reason)
    return Check(name, compared, "PASS", f"Both are {now['commit']}.")


def _plain_name(name: str) -> str:
    """The name as pip compares names."""
    # PEP 503.
    return re.sub(r"[-_.]+", "-", name).lower()
