"""Convert a pretraining's weights for another library; run by rule `convert_weights` and what is made of it."""

from pathlib import Path

from soco.convert import convert_file
from soco.logs import stage_log

with stage_log(snakemake.log[0]):
    convert_file(
        source=Path(snakemake.input.weights),
        target=snakemake.params.target,
        output=Path(snakemake.output.weights),
        summary=Path(snakemake.output.summary),
    )
