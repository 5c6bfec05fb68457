"""Report what a run did, in one page and one JSON file; the script of rule `report`."""

from pathlib import Path

from soco.jobs import stage
from soco.report import report_inputs
from soco.report.build import build_report

with stage(snakemake):
    inputs = report_inputs(snakemake.params)
    build_report(inputs, html=Path(snakemake.output.html), json=Path(snakemake.output.json))
