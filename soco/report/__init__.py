"""The report: what a run did, as one self-contained HTML page and as one JSON file."""

from soco.report.inputs import ReportInputs, report_inputs

__all__ = ["ReportInputs", "report_inputs"]
