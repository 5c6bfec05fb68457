# Proposals: from images to boxes that may contain an object. The search takes about 0.03 s of a
# core for a photograph of 500 x 375; the other rules take seconds. Raw regions are kept, so that
# another filter needs no new search.
#
# With `proposals.engine: imported`, rules/import.smk replaces the search.
#
# In:  {results}/shards/{shard}.parquet, and the images.
# Out: {results}/proposals/raw/{shard}.parquet        all regions of every readable image
#      {results}/proposals/skipped/{shard}.parquet    unreadable images, with the reason
#      {results}/proposals/filtered/{shard}.parquet   the regions that filter.strategy keeps
#      {results}/proposals/fixed/{shard}.parquet      the same, after the fallbacks for empty images
#      {results}/proposals/store.{parquet,arrow}      all shards, sorted by key; training maps the
#                                                     .arrow file
#      {results}/proposals/{skipped.parquet,summary.json}


rule search_regions:
    """Run selective search on the images of one shard, on all cores of the job."""
    input:
        shard=once_listed(f"{RESULTS}/shards/{{shard}}.parquet"),
        images=ancient(lambda wildcards: given(config["images"]["path"], "images.path")),
    output:
        raw=f"{RESULTS}/proposals/raw/{{shard}}.parquet",
        skipped=f"{RESULTS}/proposals/skipped/{{shard}}.parquet",
        origin=f"{RESULTS}/origins/search_regions/{{shard}}.json",
    log:
        f"{RESULTS}/logs/search_regions/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/search_regions/{{shard}}.tsv"
    group:
        block_of_shards
    conda:
        "../envs/soco.yaml"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime=growing(20),
    params:
        settings=search_settings(),
        max_megapixels=config["images"]["max_megapixels"],
    script:
        "../workflow_scripts/search_regions.py"


if config["proposals"]["engine"] == "imported":

    include: "import.smk"


rule filter_regions:
    """Keep the regions of one shard that the strategy accepts."""
    input:
        raw=once_listed(rules.search_regions.output.raw),
    output:
        filtered=f"{RESULTS}/proposals/filtered/{{shard}}.parquet",
        origin=f"{RESULTS}/origins/filter_regions/{{shard}}.json",
    log:
        f"{RESULTS}/logs/filter_regions/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/filter_regions/{{shard}}.tsv"
    group:
        block_of_shards
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings={key: config["filter"][key] for key in ("strategy", "min_side")},
    script:
        "../workflow_scripts/filter_regions.py"


rule apply_fallbacks:
    """Give images without a proposal the regions of the first fallback that keeps any."""
    input:
        raw=once_listed(rules.search_regions.output.raw),
        filtered=once_listed(rules.filter_regions.output.filtered),
    output:
        fixed=f"{RESULTS}/proposals/fixed/{{shard}}.parquet",
        origin=f"{RESULTS}/origins/apply_fallbacks/{{shard}}.json",
    log:
        f"{RESULTS}/logs/apply_fallbacks/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/apply_fallbacks/{{shard}}.tsv"
    group:
        block_of_shards
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=config["filter"],
    script:
        "../workflow_scripts/apply_fallbacks.py"


rule merge_proposals:
    """Merge the shards into the store that training reads, and count the proposals."""
    input:
        filtered=once_listed(expand(rules.filter_regions.output.filtered, shard=SHARDS)),
        fixed=once_listed(expand(rules.apply_fallbacks.output.fixed, shard=SHARDS)),
        skipped=once_listed(expand(rules.search_regions.output.skipped, shard=SHARDS)),
    output:
        store=f"{RESULTS}/proposals/store.parquet",
        arrow=f"{RESULTS}/proposals/store.arrow",
        skipped=f"{RESULTS}/proposals/skipped.parquet",
        summary=report(
            f"{RESULTS}/proposals/summary.json",
            caption="captions/proposals.rst",
            category="Proposals",
            subcategory="Counts",
            labels=counts_row,
        ),
        origin=f"{RESULTS}/origins/merge_proposals.json",
    log:
        f"{RESULTS}/logs/merge_proposals.log",
    benchmark:
        f"{RESULTS}/benchmarks/merge_proposals.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        max_skipped=config["images"]["max_skipped"],
    script:
        "../workflow_scripts/merge_proposals.py"
