"""List the pictures and deal them into shards; run by rule `shard_pictures`."""

from soco.config import PicturesConfig
from soco.logs import stage_log
from soco.pictures import deal_pictures, open_source

with stage_log(snakemake.log[0]):
    known = snakemake.config["pictures"]["known_as"]  # no param: to say what the pictures are lists none again
    settings = PicturesConfig.model_validate({**snakemake.params.settings, "known_as": known})
    deal_pictures(
        source=open_source(settings),
        settings=settings,
        manifest=snakemake.output.manifest,
        shards=snakemake.output.shards,
        threads=snakemake.threads,
    )
