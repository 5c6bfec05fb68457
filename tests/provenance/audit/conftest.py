import dataclasses
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
from soco.provenance.audit.repeat import check_jobs
from soco.provenance.audit.reported import read_reported, title

REPORT = Path("results/report/report.json")


class Run:
    """A copy of a finished run, to tamper with; it is the working folder."""

    report = REPORT

    def path(self, *parts):
        return Path("results", *parts)

    def read(self):
        return read_reported(REPORT)

    @property
    def content(self):
        return json.loads(REPORT.read_text())

    def edit(self, path, change):
        """Change the content of a JSON file."""
        content = json.loads(Path(path).read_text())
        change(content)
        write_json(path, content)

    def flip(self, path):
        """Flip a bit in the middle of a file."""
        data = bytearray(Path(path).read_bytes())
        data[len(data) // 2] ^= 1
        self.write(path, data)

    def write(self, path, data):
        """Replace a file; the finished run, which it is linked to, keeps its own."""
        Path(path).unlink()
        Path(path).write_bytes(data)

    def edit_hashes(self):
        """Write the present hashes into all records and the report."""
        report = self.content
        for artefact in report["artefacts"]:
            artefact.update(fingerprint(Path(artefact["path"])))
        for job in report["jobs"]:
            self.edit(job["origin"], self._update)
        write_json(REPORT, report)
        self.edit("results/origins/report.json", self._update)

    @staticmethod
    def _update(record):
        for made in record["outputs"]:
            made.update(fingerprint(Path(made["path"])))


@pytest.fixture(autouse=True)
def same_threads():
    """An audit sets the number of threads to the job's; restore it for later tests."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(finished, tmp_path, make_run):
    """The files are hard links to those of the finished run: replace them, never write to them."""
    ignored = shutil.ignore_patterns(".snakemake", "tensorboard", "logs")
    shutil.copytree(finished.folder, tmp_path / "run", ignore=ignored, copy_function=os.link)
    return make_run(tmp_path / "run")


@pytest.fixture
def failing():
    """The names of the checks that fail, with their sentences."""
    return lambda checks: {check.name: check.said for check in checks if check.status == "FAIL"}


@pytest.fixture
def repeat(run, tmp_path):
    """Repeat the jobs whose titles start with one of the given words; returns their checks."""

    def repeat(*starts):
        read = run.read()
        records = [record if title(record).startswith(starts) else None for record in read.records]
        chosen = dataclasses.replace(read, records=records)
        return list(check_jobs(chosen, ["0000", "0001"], tmp_path / "repeated"))

    return repeat


@pytest.fixture
def move_a_box():
    """Tamper with a store of boxes."""

    def move(path):
        """Shift the first box of the first image that has one by a pixel; change nothing else."""
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
    """Make the folder of a run the working folder."""

    def make(folder):
        monkeypatch.chdir(folder)
        return Run()

    return make
