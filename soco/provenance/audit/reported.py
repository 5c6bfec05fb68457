"""A report with the records of its jobs, read for an audit."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.jobs import Record, read_record
from soco.report.provenance import SCHEMA

_KEYS = ("config", "jobs", "artefacts", "environments", "lock", "results", "data")


@dataclass(frozen=True)
class Reported:
    """A run as its report tells it.

    Attributes:
        path: Of report.json.
        content: What it holds.
        records: Each job's, as it lies on the disk, in the report's order; None where it cannot be
            read.
    """

    path: Path
    content: dict[str, Any]
    records: list[Record | None]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the run."""
        held: dict[str, Any] = self.content["config"]
        return held

    @property
    def own_record(self) -> Path:
        """Where the record of the report's own job lies."""
        return Path(self.config["results"], "origins", "report.json")

    def of(self, rule: str, **wildcards: str) -> list[Record]:
        """The records of a rule's jobs that can be read; with wildcards, of those that have these
        values.

        Raises:
            UserError: A record of the rule's cannot be read.
        """
        numbered = enumerate(self.content["jobs"])
        numbers = [
            number for number, job in numbered if job["rule"] == rule and _has(job, wildcards)
        ]
        found = [record for number in numbers if (record := self.records[number]) is not None]
        if len(found) < len(numbers):
            raise UserError(
                f"{len(numbers) - len(found)} record(s) of {rule} cannot be read; see the first"
                " check."
            )
        return found


def read_report(path: Path) -> Reported:
    """Read a report and the records that it names, which lie below the working folder.

    Raises:
        UserError: It is missing, or no report of this version.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"There is no report {path}; make one with `snakemake report`.") from None
    except ValueError as error:
        raise UserError(
            f"{path} is not valid JSON ({error}); make it again with `snakemake report`."
        ) from None
    absent = [key for key in _KEYS if not isinstance(content, dict) or key not in content]
    if absent or content.get("schema") != SCHEMA:
        raise UserError(f"{path} is no report of this version; make one with `snakemake report`.")
    return Reported(path, content, [_record(Path(job["origin"])) for job in content["jobs"]])


def output(record: Record, name: str) -> Path:
    """The output of a job that bears the name; it has one."""
    return next(Path(made["path"]) for made in record["outputs"] if made["name"] == name)


def given(record: Record, name: str) -> Path | None:
    """The input of a job that bears the name; None where it has none."""
    paths = record["inputs"].get(name, [])
    return Path(paths[0]) if paths else None


def _record(path: Path) -> Record | None:
    try:
        return read_record(path)
    except UserError:
        return None


def _has(job: dict[str, Any], wildcards: dict[str, str]) -> bool:
    return all(job["wildcards"].get(name) == value for name, value in wildcards.items())
