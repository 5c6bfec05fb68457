"""Convert a pretraining's weights for another library.

Run by rule `convert_weights` and what is made of it.
"""

from pathlib import Path

from soco.jobs import stage
from soco.transfer.convert import convert_file

with stage(snakemake, "convert", repeatable=True):
    convert_file(
        source=Path(snakemake.input.weights),
        target=snakemake.params.target,
        output=Path(snakemake.output.weights),
        summary=Path(snakemake.output.summary),
    )
