# Shards: the list of images, split into parts that later jobs process in parallel. Every image is
# read once.
#
# In:  the images of the section images: a folder tree, a zip, tars or Parquet files.
# Out: {results}/shards/manifest.parquet, one row per image: key, location, size, hash of its bytes,
#      shard. It is kept between listings, so that only new and changed images are read again;
#      {results}/shards/{shard}.parquet, the rows of each shard.


checkpoint shard_images:
    """List the images and split them into shards of about equal numbers of pixels."""
    input:
        images=lambda wildcards: given(config["images"]["path"], "images.path"),
    output:
        manifest=update(f"{RESULTS}/shards/manifest.parquet"),
        shards=expand(f"{RESULTS}/shards/{{shard}}.parquet", shard=SHARDS),
        origin=f"{RESULTS}/origins/shard_images.json",
    log:
        f"{RESULTS}/logs/shard_images.log",
    benchmark:
        f"{RESULTS}/benchmarks/shard_images.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 8
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        settings=listing_settings(),
        # For fewer shards, all outputs exist already, and Snakemake would not rerun the rule.
        shards=len(SHARDS),
        state=images_state,
    script:
        "../workflow_scripts/shard_images.py"
