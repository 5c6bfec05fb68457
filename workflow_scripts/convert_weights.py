"""Convert a pretraining's weights for another library; run by the rules of convert.smk."""

from pathlib import Path

from soco.jobs import stage
from soco.transfer.convert import convert_file

with stage(snakemake, "convert", repeatable=True) as origin:
    convert_file(
        source=Path(snakemake.input.weights),
        target=snakemake.params.target,
        output=Path(snakemake.output.weights),
        summary=Path(snakemake.output.summary),
        origin=origin,
    )
