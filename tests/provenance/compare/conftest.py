import importlib.util
import json
from pathlib import Path

import pytest

from soco.provenance.compare import Run, compare_runs

_spec = importlib.util.spec_from_file_location(
    "written_run", Path(__file__).parent / "written_run.py"
)
written_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(written_run)


@pytest.fixture
def written():
    """The module that writes a run."""
    return written_run


@pytest.fixture
def report(tmp_path):
    """What the report of a run holds; each test changes its own."""
    return written_run.write_run(tmp_path / "run")


@pytest.fixture
def compared(report):
    """Compare the run with a copy of its report that a function changed.

    Gives the sections by name.
    """

    def compare(change):
        other = json.loads(json.dumps(report))
        other = change(other) or other
        comparison = compare_runs(Run(Path("a.json"), report), Run(Path("b.json"), other))
        return {section.name: section for section in comparison.sections} | {"whole": comparison}

    return compare
