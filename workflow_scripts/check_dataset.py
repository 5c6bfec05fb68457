"""Check a detection set and repair it in a copy; run by rule `check_dataset`."""

from pathlib import Path

from soco.config import DatasetConfig
from soco.data.checks import check_dataset, decoded_folder
from soco.jobs import stage

with stage(snakemake, "data", without_origin=("train", "val")) as origin:
    name = snakemake.wildcards.dataset
    # Not a param: setting `known_as` must not check a set again.
    known = snakemake.config["datasets"][name]["known_as"]
    checked = check_dataset(
        DatasetConfig.model_validate({**snakemake.params.dataset, "known_as": known}),
        threads=snakemake.threads,
        cache=decoded_folder(snakemake.config["results"], name),
        # Null for a set without max_train_images, which draws nothing.
        seed=snakemake.params.seed or 0,
    )
    print(checked.describe(name))
    checked.write(
        train=Path(snakemake.output.train),
        val=Path(snakemake.output.val),
        report=Path(snakemake.output.findings),
        origin=origin,
    )
