"""Run selective search on one shard; run by rule `search_regions`."""

from soco.config import ProposalsConfig
from soco.logs import stage_log
from soco.proposals.search_stage import search_shard

with stage_log(snakemake.log[0]):
    search_shard(
        shard=snakemake.input.shard,
        root=snakemake.input.pictures,
        settings=ProposalsConfig.model_validate(snakemake.params.settings),
        jobs=snakemake.threads,
        raw=snakemake.output.raw,
        skipped=snakemake.output.skipped,
    )
