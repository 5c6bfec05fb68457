import importlib.util
import json
from pathlib import Path

import pytest

from soco.provenance.compare import Run
from soco.provenance.crate import export_crate

_spec = importlib.util.spec_from_file_location(
    "written_run", Path(__file__).parents[1] / "compare" / "written_run.py"
)
written_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(written_run)

LARGE = "pretrain/soco/weights.safetensors"


@pytest.fixture(scope="session")
def written():
    """The module that writes a run."""
    return written_run


@pytest.fixture
def run(tmp_path):
    """A run with one large file, in `tmp_path`/run."""
    report = written_run.write_run(tmp_path / "run", large=(LARGE,))
    return Run(tmp_path / "run/results/report/report.json", report)


class Crate:
    """A crate that was written into a folder."""

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
    """A value as a list: in JSON-LD one of one value may stand without."""
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="session")
def crate(tmp_path_factory):
    """The crate of a run with one large file; tests only read it."""
    folder = tmp_path_factory.mktemp("crate")
    run = Run(
        folder / "run/results/report/report.json",
        written_run.write_run(folder / "run", large=(LARGE,)),
    )
    export_crate(run, folder / "run", folder / "crate")
    return Crate(folder / "crate", run)
