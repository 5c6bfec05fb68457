"""The report.json of a run, read and checked."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from soco.errors import UserError
from soco.report.provenance import SCHEMA
from soco.report.reading import read_json

_KEYS = ("config", "results", "run", "git", "lock", "environments", "jobs", "artefacts", "data")


@dataclass(frozen=True)
class Run:
    """A run as its report describes it.

    Attributes:
        path: The report.json.
        report: Its content.
    """

    path: Path
    report: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.report[key]

    def within_results(self, path: str) -> str:
        """A path relative to the folder of results, so that files of two runs can be matched."""
        results = PurePosixPath(self.report["config"].get("results", "results"))
        given = PurePosixPath(path)
        return str(given.relative_to(results)) if given.is_relative_to(results) else str(given)


def read_run(path: Path) -> Run:
    """Read a report.json.

    Raises:
        UserError: It is missing, is not a report, or was written by another version.
    """
    if path.is_dir():
        raise UserError(
            "report.run_is_a_folder",
            "{path} is a folder; give the report.json in it, such as results/report/report.json.",
            path=path,
        )
    report = read_json(path)
    if not isinstance(report, dict) or "config" not in report or "results" not in report:
        raise UserError(
            "report.run_not_a_report",
            "{path} is not the report of a run; give a report.json, such as "
            "results/report/report.json.",
            path=path,
        )
    schema = report.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(
            "report.run_too_new",
            "{path} has schema {schema}, but this version reads schema {ours}; use a newer "
            "version of SoCo.",
            path=path,
            schema=schema,
            ours=SCHEMA,
        )
    missing = [key for key in _KEYS if key not in report]
    if schema != SCHEMA or missing:
        raise UserError(
            "report.run_too_old",
            "{path} was written by an older version (it lacks {missing}); build the report again "
            "with `snakemake --forcerun report report`.",
            path=path,
            missing=", ".join(missing or [f"schema {SCHEMA}"]),
        )
    return Run(path, report)
