# Shards: the pictures, listed and dealt into parts that later jobs take one by one; takes seconds.
#
# In:  the folder tree of pictures that pictures.path names.
# Out: {results}/shards/{shard}.parquet, one row a picture: key (path below the folder) and bytes.


rule shard_pictures:
    """List the pictures and deal them into shards, by their place in the sorted list."""
    input:
        pictures=lambda wildcards: given(config["pictures"]["path"], "pictures.path"),
    output:
        shards=expand(f"{RESULTS}/shards/{{shard}}.parquet", shard=SHARDS),
    log:
        f"{RESULTS}/logs/shard_pictures.log",
    benchmark:
        f"{RESULTS}/benchmarks/shard_pictures.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    script:
        "../workflow_scripts/shard_pictures.py"
