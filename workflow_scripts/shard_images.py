"""List the images and split them into shards; run by rule `shard_images`."""

from soco.config import ImagesConfig
from soco.data import open_source, split_into_shards
from soco.jobs import stage

with stage(snakemake, "shards", varying=("manifest",)) as origin:
    # Not among the rule's params: changing known_as must not list all images again.
    known_as = snakemake.config["images"]["known_as"]
    settings = ImagesConfig.model_validate({**snakemake.params.settings, "known_as": known_as})
    split_into_shards(
        source=open_source(settings),
        settings=settings,
        manifest=snakemake.output.manifest,
        shards=snakemake.output.shards,
        threads=snakemake.threads,
        origin=origin,
    )
