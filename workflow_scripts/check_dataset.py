"""Check and mend a detection set; run by rule `check_dataset`."""

from pathlib import Path

from soco.checks import check_dataset
from soco.config import DatasetConfig
from soco.origins import stage

with stage(snakemake):
    checked = check_dataset(DatasetConfig.model_validate(snakemake.params.dataset))
    print(checked.describe(snakemake.wildcards.dataset))
    checked.write(
        train=Path(snakemake.output.train),
        val=Path(snakemake.output.val),
        report=Path(snakemake.output.findings),
    )
