"""Keep the regions of one shard that the strategy accepts; run by rule `filter_regions`."""

from soco.config import FilterConfig
from soco.logs import stage_log
from soco.proposals.filter_stage import filter_shard

with stage_log(snakemake.log[0]):
    filter_shard(
        raw=snakemake.input.raw,
        settings=FilterConfig.model_validate(snakemake.params.settings),
        output=snakemake.output.filtered,
    )
