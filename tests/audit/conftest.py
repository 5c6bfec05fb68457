import json
import shutil
from pathlib import Path

import pytest

from soco.audit.reported import read_report
from soco.origins.fingerprint import fingerprint
from soco.stores.files import write_json

REPORT = Path("results/report/report.json")


class Run:
    """A copy of a finished run, which is the working folder; to be tampered with."""

    report = REPORT

    def read(self):
        return read_report(REPORT)

    @property
    def content(self):
        return json.loads(REPORT.read_text())

    def edit(self, path, change):
        """Change what a JSON file holds."""
        content = json.loads(Path(path).read_text())
        change(content)
        write_json(path, content)

    def flip(self, path):
        """Flip a bit in the middle of a file."""
        data = bytearray(Path(path).read_bytes())
        data[len(data) // 2] ^= 1
        Path(path).write_bytes(data)

    def make_hashes_fit(self):
        """Write the present hashes wherever hashes are told: in each record, in the report, in the report's record."""
        report = self.content
        for artefact in report["artefacts"]:
            artefact.update(fingerprint(Path(artefact["path"])))
        for job in report["jobs"]:
            self._fit_record(job["origin"])
        write_json(REPORT, report)
        self._fit_record("results/origins/report.json")

    def _fit_record(self, path):
        self.edit(path, lambda record: [made.update(fingerprint(Path(made["path"]))) for made in record["outputs"]])


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    shutil.copytree(finished.folder, tmp_path / "run", ignore=shutil.ignore_patterns(".snakemake"))
    monkeypatch.chdir(tmp_path / "run")
    return Run()


@pytest.fixture
def failing():
    """The names of the checks that fail, with what they say."""
    return lambda checks: {check.name: check.said for check in checks if check.status == "FAIL"}
