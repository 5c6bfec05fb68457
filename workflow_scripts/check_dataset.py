"""Check and mend a detection set; run by rule `check_dataset`."""

from pathlib import Path

from soco.config import DatasetConfig
from soco.data.checks import check_dataset, decoded_folder
from soco.jobs import stage

with stage(snakemake, "data", without_origin=("train", "val")):
    name = snakemake.wildcards.dataset
    known = snakemake.config["datasets"][name][
        "known_as"
    ]  # no param: to say what a set is checks none again
    checked = check_dataset(
        DatasetConfig.model_validate({**snakemake.params.dataset, "known_as": known}),
        threads=snakemake.threads,
        cache=decoded_folder(snakemake.config["results"], name),
    )
    print(checked.describe(name))
    checked.write(
        train=Path(snakemake.output.train),
        val=Path(snakemake.output.val),
        report=Path(snakemake.output.findings),
    )
