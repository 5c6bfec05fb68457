"""Tell what a run did, in one page and one JSON file; run by rule `report`."""

from pathlib import Path

from soco.jobs import job_of, stage
from soco.report import report_inputs
from soco.report.build import build_report

with stage(snakemake, "report", varying=("html", "json"), without_origin=("html", "json")):
    job = job_of(snakemake)
    inputs = report_inputs(job.inputs, job.params)
    build_report(inputs, html=Path(snakemake.output.html), json=Path(snakemake.output.json))
