"""Apply the fallbacks to images without a proposal; run by rule `apply_fallbacks`."""

from soco.config import FilterConfig
from soco.jobs import stage
from soco.proposals.filter_stage import apply_fallbacks

with stage(snakemake, "proposals", repeatable=True) as origin:
    apply_fallbacks(
        raw=snakemake.input.raw,
        filtered=snakemake.input.filtered,
        settings=FilterConfig.model_validate(snakemake.params.settings),
        output=snakemake.output.fixed,
        origin=origin,
    )
