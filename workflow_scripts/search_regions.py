"""Run selective search on one shard; run by rule `search_regions`."""

from soco.config import PicturesConfig, ProposalsConfig
from soco.origins import stage
from soco.pictures import open_source
from soco.proposals.search_stage import search_shard

with stage(snakemake):
    pictures = PicturesConfig.model_validate(
        {**snakemake.config["pictures"], "max_megapixels": snakemake.params.max_megapixels}
    )
    search_shard(
        shard=snakemake.input.shard,
        source=open_source(pictures),
        settings=ProposalsConfig.model_validate(snakemake.params.settings),
        pictures=pictures,
        jobs=snakemake.threads,
        raw=snakemake.output.raw,
        skipped=snakemake.output.skipped,
    )
