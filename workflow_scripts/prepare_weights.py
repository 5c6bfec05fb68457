"""Write a file of `weights` as a pretraining begins with it; run by rule `prepare_weights`."""

from pathlib import Path

from soco.jobs import stage
from soco.transfer.convert import prepare_initial

with stage(snakemake, "pretrain", repeatable=True) as origin:
    prepare_initial(
        source=Path(snakemake.input.weights),
        only_resnet=snakemake.params.holds == "resnet",
        output=Path(snakemake.output.weights),
        origin=origin,
    )
