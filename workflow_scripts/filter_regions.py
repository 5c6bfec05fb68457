"""Keep the regions of one shard that the strategy accepts; run by rule `filter_regions`."""

from soco.config import FilterConfig
from soco.jobs import stage
from soco.proposals.filter_stage import filter_shard

with stage(snakemake, "proposals", repeatable=True) as origin:
    filter_shard(
        raw=snakemake.input.raw,
        settings=FilterConfig.model_validate(snakemake.params.settings),
        output=snakemake.output.filtered,
        origin=origin,
    )
