# Shards: the pictures, listed and dealt into parts that later jobs take one by one. Every picture is read once.
#
# In:  the pictures that the section pictures names: a folder tree, a zip, tars or Parquet files.
# Out: {results}/shards/manifest.parquet, one row a picture: key, where it lies, its size, the hash of its bytes, its
#      shard; kept from listing to listing, so that only new and changed pictures are read again;
#      {results}/shards/{shard}.parquet, the rows of each shard.


checkpoint shard_pictures:
    """List the pictures and deal them into shards with equal shares of the pixels."""
    input:
        pictures=lambda wildcards: given(config["pictures"]["path"], "pictures.path"),
    output:
        manifest=update(f"{RESULTS}/shards/manifest.parquet"),
        shards=expand(f"{RESULTS}/shards/{{shard}}.parquet", shard=SHARDS),
        origin=f"{RESULTS}/origins/shard_pictures.json",
    log:
        f"{RESULTS}/logs/shard_pictures.log",
    benchmark:
        f"{RESULTS}/benchmarks/shard_pictures.tsv"
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
        state=pictures_state,
    script:
        "../workflow_scripts/shard_pictures.py"
