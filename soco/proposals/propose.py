"""From images to proposals in one call, on one machine, without Snakemake."""

import os
from pathlib import Path

from soco.config import FilterConfig, ImagesConfig, ProposalsConfig
from soco.data import open_source, split_into_shards
from soco.proposals.filter_stage import apply_fallbacks, filter_shard
from soco.proposals.import_stage import import_shards
from soco.proposals.merge_stage import MergeJob, merge_shards
from soco.proposals.search_stage import SearchJob, search_shard


def propose(
    images: ImagesConfig | str | Path,
    folder: str | Path,
    proposals: ProposalsConfig | None = None,
    filters: FilterConfig | None = None,
    jobs: int = -1,
) -> Path:
    """List images, search them, filter the regions, and merge them into a store to train on.

    Every call searches all images again. Use the workflow for growing data sets, and on clusters.

    Args:
        images: Where the images are; a path means a folder tree.
        folder: Receives the files of every stage: `shards/`, `raw/`, `store.parquet`,
            `summary.json` and others.
        proposals: The search; by default the authors'.
        filters: Which regions become proposals; by default the paper's filter and fallbacks.
        jobs: Number of cores to search on; -1 for all.

    Returns:
        The path of `store.arrow`, which pretraining reads.

    Raises:
        UserError: The source is missing or has no image, or too many of its images cannot be read.
    """
    if not isinstance(images, ImagesConfig):
        images = ImagesConfig(path=str(images))
    proposals, filters = proposals or ProposalsConfig(), filters or FilterConfig()
    root, names = Path(folder), [f"{number:04d}.parquet" for number in range(images.shards)]
    shards, raw, skipped, filtered, fixed = (
        [root / stage / name for name in names]
        for stage in ("shards", "raw", "skipped", "filtered", "fixed")
    )

    source = open_source(images)
    threads = jobs if jobs > 0 else os.cpu_count() or 1
    split_into_shards(source, images, root / "manifest.parquet", shards, threads)
    if proposals.file is not None:
        import_shards(shards, proposals.file, images, raw, skipped)
    else:
        for files in zip(shards, raw, skipped, strict=True):
            search_shard(SearchJob(files[0], source, proposals, images, jobs, *files[1:]))
    for of_raw, of_filtered, of_fixed in zip(raw, filtered, fixed, strict=True):
        filter_shard(of_raw, filters, of_filtered)
        apply_fallbacks(of_raw, of_filtered, filters, of_fixed)
    merge_shards(
        MergeJob(
            filtered=filtered,
            fixed=fixed,
            skipped=skipped,
            settings=filters,
            max_skipped=images.max_skipped,
            store=root / "store.parquet",
            arrow=root / "store.arrow",
            skipped_store=root / "skipped.parquet",
            summary=root / "summary.json",
        )
    )
    return root / "store.arrow"
