"""A report and the records of its jobs, as an audit reads them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.jobs import Record, read_record
from soco.provenance.reading import read_run
from soco.report import report_inputs
from soco.report.inputs import ReportInputs


@dataclass(frozen=True)
class Reported:
    """A run as its report describes it.

    Attributes:
        path: The report.json.
        content: Its content.
        records: The record of each job, in the report's order; None if it cannot be read.
    """

    path: Path
    content: dict[str, Any]
    records: list[Record | None]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the run."""
        config: dict[str, Any] = self.content["config"]
        return config

    @property
    def own_record(self) -> Path:
        """The record of the job that wrote the report."""
        return Path(self.config["results"], "origins", "report.json")

    def inputs(self) -> ReportInputs:
        """The files that the report was built from."""
        record = read_record(self.own_record)
        return report_inputs(record["params"])

    def writing(self, *names: str) -> list[Record]:
        """The records of the jobs that have outputs of these names.

        Raises:
            UserError: A record cannot be read, and may be one of them.
        """
        records = [record for record in self.records if record is not None]
        if len(records) < len(self.records):
            raise UserError(
                "audit.records_missing",
                "{count} record(s) of jobs cannot be read; see the first check.",
                count=len(self.records) - len(records),
            )
        return [
            record
            for record in records
            if {*names} <= {output["name"] for output in record["outputs"]}
        ]


def read_reported(path: Path) -> Reported:
    """Read a report, and the records that it names, from the working folder.

    Raises:
        UserError: The report is missing, is not a report, or was written by another version.
    """
    report = read_run(path).report
    return Reported(path, report, [_record(Path(job["origin"])) for job in report["jobs"]])


def outputs_of(record: Record, name: str) -> list[Path]:
    """The outputs of a job that have this name."""
    return [Path(output["path"]) for output in record["outputs"] if output["name"] == name]


def title(record: Record) -> str:
    """A job's rule and wildcards, such as `pretrain_model, run=soco`."""
    wildcards = [f"{name}={value}" for name, value in record["wildcards"].items()]
    return ", ".join([record["rule"], *wildcards])


def _record(path: Path) -> Record | None:
    try:
        return read_record(path)
    except UserError:
        return None
