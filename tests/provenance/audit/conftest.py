import json
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from soco.data.stores.parquet import write_table
from soco.data.stores.schema import rect_columns, rects_of
from soco.io import fingerprint, write_json
from soco.provenance.audit.reported import read_report

REPORT = Path("results/report/report.json")


class Run:
    """A copy of a finished run, which is the working folder; to be tampered with."""

    report = REPORT

    def path(self, *parts):
        return Path("results", *parts)

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
        self.write(path, data)

    def write(self, path, data):
        """Put another file in the place of one.

        The finished run, whose files these are, keeps its own.
        """
        Path(path).unlink()
        Path(path).write_bytes(data)

    def make_hashes_fit(self):
        """Write the present hashes wherever hashes are told.

        In each record, in the report, in the report's record.
        """
        report = self.content
        for artefact in report["artefacts"]:
            artefact.update(fingerprint(Path(artefact["path"])))
        for job in report["jobs"]:
            self._fit_record(job["origin"])
        write_json(REPORT, report)
        self._fit_record("results/origins/report.json")

    def _fit_record(self, path):
        self.edit(
            path,
            lambda record: [
                made.update(fingerprint(Path(made["path"]))) for made in record["outputs"]
            ],
        )


@pytest.fixture(autouse=True)
def same_threads():
    """An audit takes as many threads as the job did; later tests are to have theirs."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(finished, tmp_path, make_run):
    """The files are those of the finished run, linked: they are replaced and never written to."""
    ignored = shutil.ignore_patterns(".snakemake", "tensorboard", "logs")
    shutil.copytree(finished.folder, tmp_path / "run", ignore=ignored, copy_function=os.link)
    return make_run(tmp_path / "run")


@pytest.fixture
def failing():
    """The names of the checks that fail, with what they say."""
    return lambda checks: {check.name: check.said for check in checks if check.status == "FAIL"}


@pytest.fixture
def move_a_box():
    """Tamper with a store of boxes."""

    def move(path):
        """Shift the first box of the first image that has one by a pixel.

        All else, the origin inside too, stays.
        """
        table = pq.read_table(path)
        rects = [boxes.copy() for boxes in rects_of(table)]
        next(boxes for boxes in rects if len(boxes))[0, 0] += 1
        for name, column in rect_columns(rects).items():
            table = table.set_column(
                table.schema.get_field_index(name), table.schema.field(name), column
            )
        write_table(path, table)

    return move


@pytest.fixture
def make_run(monkeypatch):
    """Make a folder that holds a run the working folder."""

    def make(folder):
        monkeypatch.chdir(folder)
        return Run()

    return make
