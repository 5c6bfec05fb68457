"""Give pictures without a proposal those of a fallback; run by rule `fix_up_proposals`."""

from soco.config import FilterConfig
from soco.logs import stage_log
from soco.proposals.filter_stage import fix_up_shard

with stage_log(snakemake.log[0]):
    fix_up_shard(
        raw=snakemake.input.raw,
        filtered=snakemake.input.filtered,
        settings=FilterConfig.model_validate(snakemake.params.settings),
        output=snakemake.output.fixed,
    )
