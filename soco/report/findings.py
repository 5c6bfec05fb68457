"""What the checks of the detection sets found."""

from typing import Any

from soco.report.inputs import FindingsFiles
from soco.report.reading import read_object


def set_findings(files: FindingsFiles) -> dict[str, Any]:
    """The findings on one detection set.

    Returns:
        `dataset`; `halves` and `findings` as `soco.data.checks.dataset.CheckedDataset.as_json`
        makes them; `val_mended`, whether AP is that of another validation half than the user's file
        has.

    Raises:
        UserError: The file is missing or holds something else.
    """
    found = read_object(files.findings, "halves", "findings")
    return found | {
        "dataset": files.dataset,
        "val_mended": bool(found["halves"].get("val", {}).get("mended")),
    }
