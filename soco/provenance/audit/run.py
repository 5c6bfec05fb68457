"""All checks of an audit, the fast ones first."""

import contextlib
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soco.jobs import declared
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.configuration import check_configuration
from soco.provenance.audit.contents import check_contents
from soco.provenance.audit.detections import check_detections
from soco.provenance.audit.files import check_hashes, check_origins
from soco.provenance.audit.images import check_images
from soco.provenance.audit.page import check_page
from soco.provenance.audit.repeat import check_jobs
from soco.provenance.audit.reported import Reported, read_reported
from soco.seeds import generator


@dataclass(frozen=True)
class Options:
    """What an audit checks.

    Attributes:
        shards: Number of shards whose images are processed again.
        seed: Seed that chooses them. Random unless given, so that nobody can predict the choice.
        quick: Whether to repeat no work except the page.
        config: The current configuration, complete and plain; None compares none.
        lock: The current lock file; None takes the repository's.
    """

    shards: int = 2
    seed: int = field(default_factory=lambda: secrets.randbelow(1 << 32))
    quick: bool = False
    config: Mapping[str, Any] | None = None
    lock: Path | None = None


def audit(report: Path, options: Options) -> list[Check]:
    """Audit a run, in the folder that it worked in.

    What the repeated work prints goes to standard error.

    Args:
        report: The report.json.
        options: What to check.

    Raises:
        UserError: The report is missing, or was written by another version.
    """
    run = read_reported(report)
    with contextlib.redirect_stdout(sys.stderr):
        return list(_checks(run, options))


def chosen_shards(shards: int, count: int, seed: int) -> list[str]:
    """The names of shards drawn without replacement, in order."""
    numbers = generator(seed).choice(shards, min(count, shards), replace=False)
    return [f"{number:04d}" for number in sorted(numbers)]


def _checks(run: Reported, options: Options) -> Iterator[Check]:
    yield check("records of the jobs", "the report and the scripts", _records, run)
    yield from check_hashes(run)
    yield from check_origins(run)
    yield from check_contents(run)
    yield from check_page(run)
    yield from check_configuration(run, options.config, options.lock)
    yield from check_detections(run)
    if not options.quick:
        shards = chosen_shards(run.config["images"]["shards"], options.shards, options.seed)
        yield from check_images(run, shards)
        with tempfile.TemporaryDirectory() as folder:
            yield from check_jobs(run, shards, Path(folder))


def _records(run: Reported) -> Outcome:
    """Check that all records can be read and agree with what their scripts declare.

    Otherwise an edited record could exclude its job from the checks.
    """
    faults = []
    for job, record in zip(run.content["jobs"], run.records, strict=True):
        if record is None:
            faults.append(f"{job['origin']} is missing or damaged")
            continue
        kind = declared(record["rule"])
        if kind is None:
            faults.append(f"{job['origin']} is of an unknown rule, {record['rule']}")
            continue
        expected = (kind.stage, kind.repeatable, set(kind.varying), set(kind.without_origin))
        varying, without_origin = (
            {output["name"] for output in record["outputs"] if not output[flag]}
            for flag in ("deterministic", "has_origin")
        )
        if (record["stage"], record["repeatable"], varying, without_origin) != expected:
            faults.append(f"{job['origin']} differs from what the script of its rule declares")
    return faults, f"All {len(run.records)} records can be read."
