"""The search stage: every picture of a shard to its raw regions, over the job's cores."""

import logging
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.config import ProposalsConfig
from soco.pictures import SHARD_SCHEMA, UnreadablePictureError, read_rgb
from soco.progress import progress
from soco.proposals.opencv_search import opencv_selective_search
from soco.proposals.selective_search import selective_search
from soco.stores.parquet import read_table, write_table
from soco.stores.schema import LONGEST_SIDE, RAW_SCHEMA, SKIPPED_SCHEMA, rect_columns

log = logging.getLogger(__name__)

# Width, height and regions of a picture, or the reason why it was skipped.
Found = tuple[int, int, npt.NDArray[np.int32]] | str


def search_shard(
    shard: str | Path, root: str | Path, settings: ProposalsConfig, jobs: int, raw: str | Path, skipped: str | Path
) -> None:
    """Search every picture of a shard.

    Args:
        shard: The shard's Parquet file.
        root: Folder that its keys are below.
        settings: Engine and its parameters.
        jobs: Processes to spread the pictures over.
        raw: Receives one row a picture that could be read, `RAW_SCHEMA`.
        skipped: Receives one row a picture that could not, `SKIPPED_SCHEMA`.
    """
    keys = read_table(shard, SHARD_SCHEMA)["key"].to_pylist()
    search = joblib.delayed(partial(search_picture, settings=settings))
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size="auto")
    results = list(progress(parallel(search(Path(root, key)) for key in keys), len(keys), "selective search"))
    found = [(key, result) for key, result in zip(keys, results, strict=True) if not isinstance(result, str)]
    reasons = [(key, result) for key, result in zip(keys, results, strict=True) if isinstance(result, str)]
    for key, reason in reasons:
        log.warning("skipped %s: %s", key, reason)
    write_table(raw, _raw_table(found))
    columns = {"key": [key for key, _ in reasons], "reason": [reason for _, reason in reasons]}
    write_table(skipped, pa.table(columns, schema=SKIPPED_SCHEMA))


def search_picture(path: Path, settings: ProposalsConfig) -> Found:
    """Search one picture with the chosen engine; an unreadable one gives its reason instead."""
    try:
        rgb = read_rgb(path)
    except UnreadablePictureError as error:
        return str(error)
    if max(rgb.shape) > LONGEST_SIDE:
        return f"longer than {LONGEST_SIDE} pixels"
    if settings.engine == "opencv":
        regions = opencv_selective_search(rgb, settings.opencv_mode)
    else:
        regions = selective_search(rgb, settings.scale, settings.sigma, settings.min_size)
    return rgb.shape[1], rgb.shape[0], regions


def _raw_table(found: list[tuple[str, tuple[int, int, npt.NDArray[np.int32]]]]) -> pa.Table:
    regions = [regions for _, (_, _, regions) in found]
    rects = rect_columns([of_picture[:, :4] for of_picture in regions])
    sizes = pa.array([of_picture[:, 4] for of_picture in regions], pa.list_(pa.int32()))
    columns = {
        "key": [key for key, _ in found],
        "width": [width for _, (width, _, _) in found],
        "height": [height for _, (_, height, _) in found],
        **rects,
        "size": sizes,
    }
    return pa.table(columns, schema=RAW_SCHEMA)
