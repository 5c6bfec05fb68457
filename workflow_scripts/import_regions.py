"""Import the boxes of a file for the images of all shards; run by rule `import_regions`."""

from soco.config import ImagesConfig
from soco.jobs import stage
from soco.proposals.import_stage import import_shards

with stage(snakemake, "proposals", repeatable=True) as origin:
    images = ImagesConfig.model_validate(
        {**snakemake.config["images"], "max_megapixels": snakemake.params.max_megapixels}
    )
    import_shards(
        shards=snakemake.input.shards,
        file=snakemake.input.boxes,
        images=images,
        raw=snakemake.output.raw,
        skipped=snakemake.output.skipped,
        origin=origin,
    )
