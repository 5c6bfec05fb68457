# Shards: the images, listed and dealt into parts that later jobs take one by one. Every image is read once.
#
# In:  the images that the section images names: a folder tree, a zip, tars or Parquet files.
# Out: {results}/shards/manifest.parquet, one row an image: key, where it lies, its size, the hash of its bytes, its
#      shard; kept from listing to listing, so that only new and changed images are read again;
#      {results}/shards/{shard}.parquet, the rows of each shard.


checkpoint shard_images:
    """List the images and deal them into shards with equal shares of the pixels."""
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
        # Fewer shards than before are all there, and would pass for those of this number.
        shards=len(SHARDS),
        state=images_state,
    script:
        "../workflow_scripts/shard_images.py"
