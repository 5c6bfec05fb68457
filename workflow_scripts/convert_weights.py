"""Rename a pretraining's weights for detectron2; run by rule `convert_weights`."""

from pathlib import Path

from soco.convert import convert_run
from soco.logs import stage_log

with stage_log(snakemake.log[0]):
    convert_run(
        weights=Path(snakemake.input.weights),
        kind=snakemake.wildcards.kind,
        output=Path(snakemake.output.weights),
        summary=Path(snakemake.output.summary),
    )
