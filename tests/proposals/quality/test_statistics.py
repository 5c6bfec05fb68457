import json

import numpy as np
import pyarrow as pa
import pytest
from user_errors import refused

from soco.config import FilterConfig
from soco.data import Entry
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.schema import (
    PROPOSAL_SCHEMA,
    RAW_SCHEMA,
    image_columns,
    rect_columns,
    rects_of,
)
from soco.proposals import selective_search
from soco.proposals.filter_stage import apply_fallbacks, filter_shard
from soco.proposals.quality import describe_proposals


@pytest.fixture(scope="module")
def shards(photograph, tmp_path_factory):
    """Two shards of searched photographs; some images have no proposal after filter or fallback."""
    folder = tmp_path_factory.mktemp("shards")
    settings = FilterConfig(fallbacks=("ratio3",))
    searched = {
        name: selective_search(photograph(name)) for name in ("coffee_half", "chelsea_half")
    }
    made = {
        "0": [("coffee", *photograph("coffee_half").shape[:2], searched["coffee_half"])],
        "1": [
            ("chelsea", *photograph("chelsea_half").shape[:2], searched["chelsea_half"]),
            ("whole", 100, 100, np.array([[0, 0, 99, 99, 10_000]])),
            ("line", 100, 100, np.array([[0, 4, 99, 0, 100], [3, 0, 0, 50, 51]])),
        ],
    }
    for number, rows in made.items():
        keys, heights, widths, regions_of = map(list, zip(*rows, strict=True))
        sizes = pa.array([regions[:, 4] for regions in regions_of], pa.list_(pa.int32()))
        rects = rect_columns([regions[:, :4] for regions in regions_of])
        images = image_columns(
            [Entry(key, "", 0, 1) for key in keys], list(zip(widths, heights, strict=True))
        )
        columns = {**images, **rects, "size": sizes}
        raw, filtered, fixed = (folder / f"{kind}{number}" for kind in ("raw", "filtered", "fixed"))
        write_table(raw, pa.table(columns, schema=RAW_SCHEMA))
        filter_shard(raw, settings, filtered)
        apply_fallbacks(raw, filtered, settings, fixed)
    return folder, settings


@pytest.fixture(scope="module")
def described(shards):
    folder, settings = shards
    raw, fixed = ([folder / f"{stage}{n}" for n in (0, 1)] for stage in ("raw", "fixed"))
    return describe_proposals(raw, fixed, settings, folder / "statistics.json")


@pytest.mark.parametrize(
    ("kind", "stage", "schema"),
    [("regions", "raw", RAW_SCHEMA), ("proposals", "fixed", PROPOSAL_SCHEMA)],
)
def test_the_histograms_equal_a_count_box_by_box(shards, described, kind, stage, schema):
    folder, _ = shards
    sizes, ratios, counts = [], [], []
    for number in (0, 1):
        table = read_table(folder / f"{stage}{number}", schema)
        for row, rects in zip(
            table.select(["width", "height"]).to_pylist(), rects_of(table), strict=True
        ):
            counts.append(len(rects))
            for _, _, width, height in rects.tolist():
                sizes.append((width * height) ** 0.5 / (row["width"] * row["height"]) ** 0.5)
                ratios.append(max(width, 1) / max(height, 1))
    shown = described[kind]
    assert shown["boxes"] == len(sizes) == sum(counts) > 20
    assert shown["per_image"]["median"] == np.median(counts)
    for name, values, step in (("relative_size", sizes, 0.001), ("aspect_ratio", ratios, 0.01)):
        edges = shown[name]["edges"]
        expected, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        # A value on an edge may fall on either side of it by rounding.
        assert np.abs(np.cumsum(shown[name]["counts"]) - np.cumsum(expected)).max() <= 2, name
        assert sum(shown[name]["counts"]) == len(values)
        assert shown[name]["median"] == pytest.approx(
            np.quantile(values, 0.5, method="lower"), abs=step
        ), name
    assert sum(shown["per_image"]["counts"]) == described["images"] == 4


def test_images_without_proposals_are_counted_after_each_step(described):
    assert described["without_proposals"] == [
        {"after": "ratio3size0308", "images": 2, "share": 0.5},
        {"after": "ratio3", "images": 1, "share": 0.25},
    ]


def test_the_file_is_what_is_returned_and_small(shards, described):
    text = (shards[0] / "statistics.json").read_text()
    assert json.loads(text) == described and len(text) < 20_000


def test_shards_of_different_images_are_refused(shards):
    folder, settings = shards
    raw, fixed = folder / "raw0", folder / "fixed1"
    with refused("quality.different_images", raw=raw, fixed=fixed):
        describe_proposals([raw], [fixed], settings, folder / "never.json")
    assert not (folder / "never.json").exists()


def test_images_without_any_box_are_described(tmp_path):
    columns = {
        **image_columns([Entry("a", "", 0, 1)], [(9, 9)]),
        **rect_columns([np.empty((0, 4), int)]),
    }
    write_table(
        tmp_path / "raw",
        pa.table({**columns, "size": pa.array([[]], pa.list_(pa.int32()))}, schema=RAW_SCHEMA),
    )
    fixed = {**columns, "regions": [0], "strategy": [""]}
    write_table(tmp_path / "fixed", pa.table(fixed, schema=PROPOSAL_SCHEMA))
    shown = describe_proposals(
        [tmp_path / "raw"], [tmp_path / "fixed"], FilterConfig(), tmp_path / "out.json"
    )
    assert (
        shown["proposals"]["relative_size"]["median"] is None and shown["proposals"]["boxes"] == 0
    )
    assert shown["without_proposals"][-1] == {"after": "none", "images": 1, "share": 1.0}
