import json
from pathlib import Path

import pytest

from soco.provenance.compare import compare_runs
from soco.provenance.reading import Run


@pytest.fixture
def report(written, tmp_path):
    """The report of a run; each test changes its own."""
    return written.write_run(tmp_path / "run")


@pytest.fixture
def compared(report):
    """Compare the run with a copy that a function changes; returns the sections by name."""

    def compare(change):
        other = json.loads(json.dumps(report))
        other = change(other) or other
        comparison = compare_runs(Run(Path("a.json"), report), Run(Path("b.json"), other))
        return {section.name: section for section in comparison.sections} | {"whole": comparison}

    return compare
