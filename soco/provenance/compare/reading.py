"""Read the report.json of a run, and refuse what is none or was written in another form."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from soco.errors import UserError
from soco.report.provenance import SCHEMA
from soco.report.reading import read_json

_KEYS = ("config", "results", "run", "git", "lock", "environments", "jobs", "artefacts", "data")


@dataclass(frozen=True)
class Run:
    """A run as its report tells it.

    Attributes:
        path: The report.json.
        report: What it holds.
    """

    path: Path
    report: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.report[key]

    def within_results(self, path: str) -> str:
        """A path below the run's folder of results, from there, so that two runs' paths can be matched."""
        results = PurePosixPath(self.report["config"].get("results", "results"))
        given = PurePosixPath(path)
        return str(given.relative_to(results)) if given.is_relative_to(results) else str(given)


def read_run(path: Path) -> Run:
    """Read a report.json.

    Raises:
        UserError: It is missing, holds something else, or was made by a version that wrote it in
            another form.
    """
    if path.is_dir():
        raise UserError(
            f"{path} is a folder; give the report.json in it, such as results/report/report.json."
        )
    report = read_json(path)
    if not isinstance(report, dict) or "config" not in report or "results" not in report:
        raise UserError(
            f"{path} is no report of a run; give a report.json, such as results/report/report.json."
        )
    schema = report.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(
            f"{path} is of schema {schema}, and this version reads schema {SCHEMA}; use a newer"
            " version."
        )
    missing = [key for key in _KEYS if key not in report]
    if schema != SCHEMA or missing:
        lacks = f"lacks {', '.join(missing)}" if missing else "has no schema"
        remedy = "make the report again with `snakemake --forcerun report report`."
        raise UserError(f"{path} is of an older form (it {lacks}); {remedy}")
    return Run(path, report)
