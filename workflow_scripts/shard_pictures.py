"""List the pictures and deal them into shards; run by rule `shard_pictures`."""

from soco.config import PicturesConfig
from soco.origins import stage
from soco.pictures import deal_pictures, open_source

with stage(snakemake):
    settings = PicturesConfig.model_validate(snakemake.params.settings)
    deal_pictures(
        source=open_source(settings),
        settings=settings,
        manifest=snakemake.output.manifest,
        shards=snakemake.output.shards,
        threads=snakemake.threads,
    )
