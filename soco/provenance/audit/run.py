"""All checks of an audit, in order: what takes seconds first."""

import contextlib
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soco.provenance.audit.checks import Check, check
from soco.provenance.audit.configuration import check_configuration
from soco.provenance.audit.contents import check_contents
from soco.provenance.audit.conversion import check_conversions
from soco.provenance.audit.evaluation import check_detections, check_evaluations
from soco.provenance.audit.hashes import check_hashes
from soco.provenance.audit.origins import check_origins
from soco.provenance.audit.page import check_page
from soco.provenance.audit.reported import Reported, read_report
from soco.provenance.audit.shards import check_shards


@dataclass(frozen=True)
class Options:
    """What an audit is asked for.

    Attributes:
        shards: How many shards are searched and filtered afresh.
        seed: Of their choice; drawn anew unless it is given, so that nobody can know it beforehand.
        quick: Leave out what is done afresh from images and weights, all but the page.
        config: The present configuration, whole and plain, to be compared; None compares none.
        lock: The present lock of packages; None: the repository's.
    """

    shards: int = 2
    seed: int = field(default_factory=lambda: secrets.randbelow(1 << 32))
    quick: bool = False
    config: Mapping[str, Any] | None = None
    lock: Path | None = None


def audit(report: Path, options: Options) -> list[Check]:
    """Audit a run from its report. The working folder is the run's: paths in the report are below
    it.

    Args:
        report: report.json.
        options: What is asked for.

    Returns:
        One entry a check; what checks print of their work goes to standard error.

    Raises:
        UserError: There is no report, or one of another version.
    """
    run = read_report(report)
    with contextlib.redirect_stdout(sys.stderr):
        return list(_checks(run, options))


def _checks(run: Reported, options: Options) -> Iterator[Check]:
    yield check("records of the jobs", "the report", _records, run)
    yield from check_hashes(run)
    yield from check_origins(run)
    yield from check_contents(run)
    yield from check_page(run)
    yield from check_configuration(run, options.config, options.lock)
    yield from _guarded("AP of all", check_detections(run))
    if options.quick:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from check_shards(run, options.shards, options.seed, folder)
        yield from _guarded("conversions", check_conversions(run, folder))
        yield from _guarded("evaluations", check_evaluations(run, folder))


def _records(run: Reported) -> tuple[list[str], str]:
    jobs = run.content["jobs"]
    lost = [job["origin"] for job, record in zip(jobs, run.records, strict=True) if record is None]
    return [f"{path} is missing or damaged" for path in lost], f"{len(jobs)} records can be read."


def _guarded(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks; what ends them early, such as a record that is missing, is a check that fails."""
    ended: list[Exception] = []

    def work() -> tuple[list[str], str]:
        raise ended[0]

    try:
        yield from checks
    except Exception as error:
        ended.append(error)
        yield check(name, "the records", work)
