"""Write a stage's JSON with the origin of the job that writes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soco.io import write_json
from soco.origins.inside import origin_inside


def write_result(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all; in a stage its key `origin` tells what made it."""
    write_json(path, {**content, **origin_inside()})
