"""Check and mend a detection set; run by rule `check_dataset`."""

from pathlib import Path

from soco.checks import check_dataset
from soco.config import DatasetConfig
from soco.logs import stage_log

with stage_log(snakemake.log[0]):
    name = snakemake.wildcards.dataset
    known = snakemake.config["datasets"][name]["known_as"]  # no param: to say what a set is checks none again
    checked = check_dataset(DatasetConfig.model_validate({**snakemake.params.dataset, "known_as": known}))
    print(checked.describe(name))
    checked.write(
        train=Path(snakemake.output.train),
        val=Path(snakemake.output.val),
        report=Path(snakemake.output.findings),
    )
