"""How a quantity is spread over the images."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from soco.data.stores.schema import RECT_COLUMNS

Counts = npt.NDArray[np.int64]


def counts_per_image(store: pa.Table) -> tuple[Counts, Counts]:
    """Regions and proposals of each image of a proposal store: two (N,) arrays."""
    regions = store["regions"].to_numpy().astype(np.int64)
    return regions, pc.list_value_length(store[RECT_COLUMNS[0]]).to_numpy().astype(np.int64)


def spread(counts: Counts) -> dict[str, float]:
    """Smallest, median, mean and largest of at least one count."""
    return {
        "smallest": int(counts.min()),
        "median": float(np.median(counts)),
        "mean": float(counts.mean()),
        "largest": int(counts.max()),
    }
