# The quality of proposals: their statistics, and which annotated objects they cover. Only the
# report reads it.
#
# In:  {results}/proposals/{raw,fixed}/{shard}.parquet; the val split of each set in quality.recall.
# Out: {results}/quality/statistics.json        boxes per image, sizes, shapes, empty images
#      {results}/quality/recall/{dataset}.json  recall and average best overlap of each engine


rule describe_proposals:
    """Describe the regions and proposals of all shards by number, size and shape."""
    input:
        raw=once_listed(expand(rules.search_regions.output.raw, shard=SHARDS)),
        fixed=once_listed(expand(rules.apply_fallbacks.output.fixed, shard=SHARDS)),
    output:
        statistics=report(
            f"{RESULTS}/quality/statistics.json",
            caption="captions/statistics.rst",
            category="Proposals",
            subcategory="Sizes and shapes",
            labels=statistics_row,
        ),
        origin=f"{RESULTS}/origins/describe_proposals.json",
    log:
        f"{RESULTS}/logs/describe_proposals.log",
    benchmark:
        f"{RESULTS}/benchmarks/describe_proposals.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=config["filter"],
    script:
        "../workflow_scripts/describe_proposals.py"


rule measure_recall:
    """Search annotated images with every engine, and measure how well boxes cover objects."""
    input:
        annotations=val_split("annotations"),
        images=ancient(val_split("images")),
    output:
        recall=report(
            f"{RESULTS}/quality/recall/{{dataset}}.json",
            caption="captions/recall.rst",
            category="Proposals",
            subcategory="Recall",
            labels=recall_row,
        ),
        origin=f"{RESULTS}/origins/measure_recall/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/measure_recall/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_recall/{{dataset}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        quality={key: config["quality"][key] for key in ("images", "engines")},
        search={key: config["proposals"][key] for key in ("scale", "sigma", "min_size")},
        filters=config["filter"],
    script:
        "../workflow_scripts/measure_recall.py"
