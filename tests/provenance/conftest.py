import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "written_run", Path(__file__).parent / "written_run.py"
)
_written_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_written_run)


@pytest.fixture(scope="session")
def written():
    """The module that writes a small run."""
    return _written_run
