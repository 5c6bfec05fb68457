"""The report.

What a run did, one JSON file for programs and one self-contained HTML page for readers.
"""

from soco.report.inputs import (
    ConversionFiles,
    EvaluationFiles,
    FindingsFiles,
    PretrainFiles,
    ProbeFiles,
    RecallFiles,
    ReportInputs,
    report_inputs,
)

__all__ = [
    "ConversionFiles",
    "EvaluationFiles",
    "FindingsFiles",
    "PretrainFiles",
    "ProbeFiles",
    "RecallFiles",
    "ReportInputs",
    "report_inputs",
]
