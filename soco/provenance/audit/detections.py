"""The AP of stored detections, scored again."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soco.jobs import Record
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.reported import Reported, outputs_of, title

ROUNDING = 1e-6
"""Largest difference of an AP that is scored again from the same detections.

detectron2's compiled scorer, where it is built, does not sum in the same order as pycocotools.
"""

OTHER_MACHINE = 0.1
"""Largest difference of an AP on another machine, or with other packages.

Kernels round differently there: the last digits of boxes and scores change, and with them the order
of detections with nearly equal scores. The paper prints AP to 0.1. On the same machine, detections
must be equal bit for bit.
"""

METRICS = ("box", "mask", "per_category")


def check_detections(run: Reported) -> Iterator[Check]:
    """The AP of each evaluation, from its stored detections."""
    compared = "its detections, scored again"
    try:
        records = run.writing("metrics", "detections")
    except Exception as error:
        yield Check("AP of all evaluations", compared, "FAIL", str(error))
        return
    missing = [name for name in ("pycocotools", "lvis") if importlib.util.find_spec(name) is None]
    for record in records:
        name = f"AP of {title(record)}"
        if missing:
            yield Check(name, compared, "SKIP", f"{' and '.join(missing)} is not installed here.")
        else:
            yield check(name, compared, _rescored, record)


def differing_metrics(
    stored: Mapping[str, Any], again: Mapping[str, Any], tolerance: float
) -> list[str]:
    """The metrics that differ by more than the tolerance, as phrases.

    A metric that is None must be None in both.

    Args:
        stored: The content of metrics.json.
        again: The same, computed again.
        tolerance: Largest difference allowed, in percent points of AP.
    """
    pairs = {
        f"{part} {name}": (value, again[part].get(name))
        for part in ("box", "mask")
        for name, value in stored[part].items()
    } | {
        f"{part} AP of {category}": (row[part], again["per_category"].get(category, {}).get(part))
        for category, row in stored["per_category"].items()
        for part in ("box", "mask")
    }
    return [
        f"{name} is {_ap_words(one)} in the run, and {_ap_words(other)} when computed again"
        for name, (one, other) in pairs.items()
        # None, nothing to score, is not 0, nothing found.
        if one != other and (one is None or other is None or abs(one - other) > tolerance)
    ]


def _rescored(record: Record) -> Outcome:
    from soco.provenance.audit.rescoring import rescore  # loads pycocotools and lvis

    stored = json.loads(outputs_of(record, "metrics")[0].read_text())
    params = record["params"]
    again = rescore(
        outputs_of(record, "detections")[0],
        Path(record["inputs"]["val"][0]),
        params["dataset"]["format"],
        params["settings"]["detections_per_image"],
    )
    box, mask = (_ap_words(again[part]["AP"]) for part in ("box", "mask"))
    faults = differing_metrics(stored, again, ROUNDING)
    return faults, f"Box AP {box}, mask AP {mask}; all metrics agree."


def _ap_words(value: float | None) -> str:
    return "not scored" if value is None else f"{value:.4f}"
