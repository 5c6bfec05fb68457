"""The differences between two runs, from their report.json alone, as text and as data."""

from soco.provenance.compare.comparison import Comparison, compare_runs
from soco.provenance.compare.reading import Run, read_run

__all__ = ["Comparison", "Run", "compare_runs", "read_run"]
