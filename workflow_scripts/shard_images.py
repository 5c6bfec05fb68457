"""List the images and deal them into shards; run by rule `shard_images`."""

from soco.config import ImagesConfig
from soco.data import deal_images, open_source
from soco.jobs import stage

with stage(snakemake, "shards", varying=("manifest",)):
    known = snakemake.config["images"][
        "known_as"
    ]  # no param: to say what the images are lists none again
    settings = ImagesConfig.model_validate({**snakemake.params.settings, "known_as": known})
    deal_images(
        source=open_source(settings),
        settings=settings,
        manifest=snakemake.output.manifest,
        shards=snakemake.output.shards,
        threads=snakemake.threads,
    )
