"""Give the pictures of all shards the boxes of a file; run by rule `import_regions`."""

from soco.config import PicturesConfig
from soco.origins import stage
from soco.proposals.import_stage import import_shards

with stage(snakemake):
    import_shards(
        shards=snakemake.input.shards,
        file=snakemake.input.boxes,
        pictures=PicturesConfig.model_validate(
            {**snakemake.config["pictures"], "max_megapixels": snakemake.params.max_megapixels}
        ),
        raw=snakemake.output.raw,
        skipped=snakemake.output.skipped,
    )
