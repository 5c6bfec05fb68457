"""Give images without a proposal those of a fallback; run by rule `fix_up_proposals`."""

from soco.config import FilterConfig
from soco.jobs import stage
from soco.proposals.filter_stage import fix_up_shard

with stage(snakemake, "proposals", repeatable=True):
    fix_up_shard(
        raw=snakemake.input.raw,
        filtered=snakemake.input.filtered,
        settings=FilterConfig.model_validate(snakemake.params.settings),
        output=snakemake.output.fixed,
    )
