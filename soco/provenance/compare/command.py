"""`soco compare`: what it prints and writes, and its exit code."""

from pathlib import Path

from soco.io import write_json
from soco.provenance.compare.comparison import compare_runs
from soco.provenance.compare.reading import read_run

SAME, OTHER = 0, 1


def compare(a: Path, b: Path, output: Path | None) -> int:
    """Print what differs between two runs, and write it as JSON where asked for.

    Returns:
        0 where both came to the same results, 1 where not. As `diff` does, the command ends with 2
        where it cannot compare.

    Raises:
        UserError: A file is missing or no report of this form.
    """
    comparison = compare_runs(read_run(a), read_run(b))
    print(comparison.words())
    if output:
        write_json(output, comparison.data())
    return SAME if comparison.same_results else OTHER
