# Imported boxes, in place of the search. The file is read once for all shards, which takes minutes
# for ImageNet. Included if proposals.engine is `imported`.
#
# In:  {results}/shards/{shard}.parquet, and the file that proposals.file names.
# Out: {results}/proposals/raw/{shard}.parquet        the file's boxes of every readable image
#      {results}/proposals/skipped/{shard}.parquet    unreadable images, with the reason


ruleorder: import_regions > search_regions


rule import_regions:
    """Give the images of all shards the boxes of a file."""
    input:
        shards=once_listed(rules.shard_images.output.shards),
        boxes=lambda wildcards: given(config["proposals"]["file"], "proposals.file"),
    output:
        raw=expand(rules.search_regions.output.raw, shard=SHARDS),
        skipped=expand(rules.search_regions.output.skipped, shard=SHARDS),
        origin=f"{RESULTS}/origins/import_regions.json",
    log:
        f"{RESULTS}/logs/import_regions.log",
    benchmark:
        f"{RESULTS}/benchmarks/import_regions.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=search_settings(),
        max_megapixels=config["images"]["max_megapixels"],
    script:
        "../workflow_scripts/import_regions.py"
