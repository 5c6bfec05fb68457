"""The origin that a file carries inside: what made it, and nothing that varies from run to run of
the same.

No time, no machine: the same job of the same code writes the same bytes. It stands in the
environment, so that the processes which a stage starts (torchrun's, detectron2's, joblib's) write
it too.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

KEY = "soco"
"""The name that metadata of Parquet, Arrow and safetensors files have for it."""

_VARIABLE = "SOCO_ORIGIN"


@contextlib.contextmanager
def made_by(origin: dict[str, Any]) -> Iterator[None]:
    """Have all files that the block writes carry this origin."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = json.dumps(origin, sort_keys=True)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def origin_text() -> str | None:
    """The origin of what is written now, as JSON; None outside of a stage."""
    return os.environ.get(_VARIABLE)


def origin_inside() -> dict[str, Any]:
    """`{"origin": ...}`, to be laid into what a file holds; empty outside of a stage."""
    text = origin_text()
    return {"origin": json.loads(text)} if text else {}


def metadata_inside(short: bool = False) -> dict[bytes, bytes]:
    """The same as metadata of an Arrow schema.

    Args:
        short: Tell the rule alone. For files whose bytes tell Snakemake what to do again: with the
            commit in them, images that were listed by another would all be searched again.
    """
    inside = origin_inside()
    if not inside:
        return {}
    origin = {"rule": inside["origin"]["rule"]} if short else inside["origin"]
    return {KEY.encode(): json.dumps({"origin": origin}, sort_keys=True).encode()}
