"""Describe the regions and proposals of all shards; run by rule `describe_proposals`."""

from soco.config import FilterConfig
from soco.jobs import stage
from soco.proposals.quality import describe_proposals

with stage(snakemake, "quality") as origin:
    statistics = describe_proposals(
        raw=snakemake.input.raw,
        fixed=snakemake.input.fixed,
        settings=FilterConfig.model_validate(snakemake.params.settings),
        output=snakemake.output.statistics,
        origin=origin,
    )
    for kind in ("regions", "proposals"):
        print(f"{kind}: {statistics[kind]['boxes']} in {statistics['images']} images")
