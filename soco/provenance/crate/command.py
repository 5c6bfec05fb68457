"""`soco export-crate`: which folder is meant, and what it says."""

from pathlib import Path

from soco.provenance.compare import Run, read_run
from soco.provenance.crate.build import export_crate


def export(report: Path, output: Path, folder: Path | None, with_weights: bool) -> str:
    """Write the crate of a report's run; gives the sentence that says what it holds.

    Raises:
        UserError: The report or a file of the run is missing, or is not what it was.
    """
    run = read_run(report)
    exported = export_crate(run, folder or folder_of(run), output, with_weights)
    told = f"Wrote {output} with {exported.packed} files that the run made"
    return (
        f"{told}; {exported.referred} more are told of by size and SHA-256."
        if exported.referred
        else f"{told}."
    )


def folder_of(run: Run) -> Path:
    """Where the run worked, by where its report lies; here, where the results were moved."""
    below = Path(run["config"].get("results", "results"), "report")
    place = run.path.resolve().parent
    if not below.is_absolute() and place.parts[-len(below.parts) :] == below.parts:
        return place.parents[len(below.parts) - 1]
    return Path()
