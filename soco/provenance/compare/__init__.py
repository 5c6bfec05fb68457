"""The differences between two runs, from their report.json alone, as text and as data."""

from soco.provenance.compare.comparison import Comparison, compare_runs

__all__ = ["Comparison", "compare_runs"]
