"""Merge the shards into the store that training reads; run by rule `merge_proposals`."""

from soco.config import FilterConfig
from soco.jobs import stage
from soco.proposals.merge_stage import merge_shards

with stage(snakemake, "proposals", repeatable=True):
    counts = merge_shards(
        filtered=snakemake.input.filtered,
        fixed=snakemake.input.fixed,
        skipped=snakemake.input.skipped,
        settings=FilterConfig.model_validate(snakemake.config["filter"]),
        max_skipped=snakemake.params.max_skipped,
        store=snakemake.output.store,
        arrow=snakemake.output.arrow,
        skipped_store=snakemake.output.skipped,
        summary=snakemake.output.summary,
    )
    for name, count in counts.items():
        print(f"{name}: {count}")
