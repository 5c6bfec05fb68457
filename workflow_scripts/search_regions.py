"""Run selective search on one shard; run by rule `search_regions`."""

from soco.config import ImagesConfig, ProposalsConfig
from soco.data import open_source
from soco.jobs import stage
from soco.proposals.search_stage import SearchJob, search_shard

with stage(snakemake, "proposals", repeatable=True) as origin:
    images = ImagesConfig.model_validate(
        {**snakemake.config["images"], "max_megapixels": snakemake.params.max_megapixels}
    )
    job = SearchJob(
        shard=snakemake.input.shard,
        source=open_source(images),
        settings=ProposalsConfig.model_validate(snakemake.params.settings),
        images=images,
        jobs=snakemake.threads,
        raw=snakemake.output.raw,
        skipped=snakemake.output.skipped,
        origin=origin,
    )
    search_shard(job)
