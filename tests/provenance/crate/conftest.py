import json

import pytest

from soco.provenance.crate import export_crate
from soco.provenance.reading import Run

LARGE = "pretrain/soco/weights.safetensors"


@pytest.fixture
def run(written, tmp_path):
    """A run with one large file, in `tmp_path`/run."""
    report = written.write_run(tmp_path / "run", large=(LARGE,))
    return Run(tmp_path / "run/results/report/report.json", report)


class Crate:
    """A crate, written as a folder."""

    def __init__(self, folder, run):
        self.folder, self.run = folder, run
        self.graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
        self.by_id = {entity["@id"]: entity for entity in self.graph}

    def of_type(self, kind):
        return [entity for entity in self.graph if kind in listed(entity["@type"])]

    def named(self, name):
        (found,) = [entity for entity in self.graph if entity.get("name") == name]
        return found


def listed(value):
    """A value as a list: JSON-LD may omit the brackets of a single value."""
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="session")
def crate(written, tmp_path_factory):
    """The crate of a run with one large file; read-only."""
    folder = tmp_path_factory.mktemp("crate")
    run = Run(
        folder / "run/results/report/report.json",
        written.write_run(folder / "run", large=(LARGE,)),
    )
    export_crate(run, folder / "run", folder / "crate")
    return Crate(folder / "crate", run)
