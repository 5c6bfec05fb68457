"""Merge the shards into the store that training reads; run by rule `merge_proposals`."""

from soco.config import FilterConfig
from soco.jobs import stage
from soco.proposals.merge_stage import MergeJob, merge_shards

with stage(snakemake, "proposals", repeatable=True) as origin:
    job = MergeJob(
        filtered=snakemake.input.filtered,
        fixed=snakemake.input.fixed,
        skipped=snakemake.input.skipped,
        settings=FilterConfig.model_validate(snakemake.config["filter"]),
        max_skipped=snakemake.params.max_skipped,
        store=snakemake.output.store,
        arrow=snakemake.output.arrow,
        skipped_store=snakemake.output.skipped,
        summary=snakemake.output.summary,
        origin=origin,
    )
    for name, count in merge_shards(job).items():
        print(f"{name}: {count}")
