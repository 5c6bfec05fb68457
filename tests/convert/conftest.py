import json
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def converters():
    """The authors' converters: for each, the name that every tensor of a raw checkpoint takes."""
    golden = Path(os.environ.get("SOCO_GOLDEN") or Path(__file__).parents[1] / "golden")
    return json.loads((golden / "converters.json").read_text())
