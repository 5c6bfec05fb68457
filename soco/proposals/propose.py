"""All stages from images to proposals in one call, on one machine.

What `snakemake proposals` does over many.
"""

import os
from pathlib import Path

from soco.config import FilterConfig, ImagesConfig, ProposalsConfig
from soco.data import open_source, split_into_shards
from soco.proposals.filter_stage import filter_shard, fix_up_shard
from soco.proposals.import_stage import import_shards
from soco.proposals.merge_stage import merge_shards
from soco.proposals.search_stage import search_shard


def propose(
    images: ImagesConfig | str | Path,
    folder: str | Path,
    proposals: ProposalsConfig | None = None,
    filters: FilterConfig | None = None,
    jobs: int = -1,
) -> Path:
    """List images, search them, filter what was found, and merge it into a store to train on.

    Every call searches all images anew; the workflow is for data that grow, and for clusters.

    Args:
        images: Where the images are; a path means a folder tree.
        folder: Receives the files of every stage, `shards/`, `raw/`, `store.parquet` and
            `summary.json` among them.
        proposals: The search; by default the authors'.
        filters: Which regions become proposals; by default the paper's filter and fallbacks.
        jobs: Cores to search on; -1 for all.

    Returns:
        The path of `store.arrow`, which pretraining reads.

    Raises:
        UserError: The source is missing or holds no image, or too many of its images cannot be
            read.
    """
    if not isinstance(images, ImagesConfig):
        images = ImagesConfig(path=str(images))
    proposals, filters, root = (
        proposals or ProposalsConfig(),
        filters or FilterConfig(),
        Path(folder),
    )
    names = [f"{number:04d}.parquet" for number in range(images.shards)]
    stages = ("shards", "raw", "skipped", "filtered", "fixed")
    shards, raw, skipped, filtered, fixed = (
        [root / stage / name for name in names] for stage in stages
    )

    source, threads = open_source(images), jobs if jobs > 0 else os.cpu_count() or 1
    split_into_shards(source, images, root / "manifest.parquet", shards, threads)
    if proposals.file is not None:
        import_shards(shards, proposals.file, images, raw, skipped)
    else:
        for number, shard in enumerate(shards):
            search_shard(shard, source, proposals, images, jobs, raw[number], skipped[number])
    for number in range(len(names)):
        filter_shard(raw[number], filters, filtered[number])
        fix_up_shard(raw[number], filtered[number], filters, fixed[number])
    merge_shards(
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
    return root / "store.arrow"
