import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from user_errors import refused

from soco.config import FilterConfig, ProposalsConfig
from soco.data import open_source, read_rgb
from soco.data.stores.proposal_store import ProposalStore
from soco.data.stores.schema import entries_of, rects_of
from soco.proposals import selective_search
from soco.proposals.filter_stage import apply_fallbacks, filter_shard
from soco.proposals.merge_stage import MergeJob, merge_shards
from soco.proposals.search_stage import SearchJob, search_shard

OUTPUTS = ("store.parquet", "store.arrow", "skip.parquet", "sum.json")


@pytest.fixture
def search(images, tmp_path):
    """Search a shard; `name` is part of the stores' names."""

    def run(shard, name, jobs=1, **settings):
        raw, skipped = tmp_path / f"raw{name}.parquet", tmp_path / f"skipped{name}.parquet"
        config = ProposalsConfig(**settings)
        search_shard(SearchJob(shard, open_source(images), config, images, jobs, raw, skipped))
        return raw, skipped

    return run


@pytest.fixture
def searched(write_shard, search, tmp_path):
    """Two shards, searched."""
    for n, (first, last) in enumerate([(0, 3), (3, None)]):
        search(write_shard(tmp_path / f"shard{n}.parquet", first, last), n)
    return tmp_path


def finish(folder, settings, max_skipped=0.5, shards=2):
    raw, filtered, fixed, skipped = (
        [folder / f"{kind}{n}.parquet" for n in range(shards)]
        for kind in ("raw", "filtered", "fixed", "skipped")
    )
    for of_raw, of_filtered, of_fixed in zip(raw, filtered, fixed, strict=True):
        filter_shard(of_raw, settings, of_filtered)
        apply_fallbacks(of_raw, of_filtered, settings, of_fixed)
    outputs = (folder / name for name in OUTPUTS)
    return merge_shards(MergeJob(filtered, fixed, skipped, settings, max_skipped, *outputs))


def test_raw_regions_are_those_of_selective_search(searched, folder_of_images):
    table = pq.read_table(searched / "raw0.parquet")
    assert table["key"].to_pylist() == ["a/one.jpg", "b/one.jpg", "b/two two.png"]
    for row, rects in zip(table.to_pylist(), rects_of(table), strict=True):
        rgb = read_rgb(folder_of_images / row["key"])
        assert (row["height"], row["width"]) == rgb.shape[:2]
        assert np.array_equal(np.column_stack([rects, row["size"]]), selective_search(rgb))


def test_raw_rows_locate_their_image(searched, images):
    table = pq.read_table(searched / "raw1.parquet")
    assert entries_of(table) == list(open_source(images).entries())[3:5]


@pytest.mark.parametrize("engine", ["soco", "opencv"])
def test_a_repeated_search_writes_the_same_bytes(write_shard, search, tmp_path, engine):
    shard = write_shard(tmp_path / "shard.parquet")
    once, again = (
        search(shard, "once", engine=engine),
        search(shard, "again", jobs=2, engine=engine),
    )
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_a_killed_search_leaves_no_partial_file_and_reruns_to_the_same_bytes(
    write_shard, images, tmp_path
):
    shard = write_shard(tmp_path / "shard.parquet", 3)
    script = Path(__file__).with_name("kill_search.py")
    folders = (tmp_path / "uninterrupted", tmp_path / "killed")
    arguments = [sys.executable, script, shard, images.path, *folders]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    moments = json.loads(done.stdout)
    # Both kills at a rename left a temporary file; at the second, the raw store was complete.
    assert moments["rename 1"] == [[], 1]
    assert moments["rename 2"] == [["raw.parquet"], 1]
    # At least one of the kills by time came before anything was written.
    assert [[], 0] in [moments[moment] for moment in moments if moment.endswith("%")]


def test_every_stage_accepts_a_shard_without_images(write_shard, search, tmp_path):
    search(write_shard(tmp_path / "all.parquet"), 0)
    search(write_shard(tmp_path / "none.parquet", 7), 1, jobs=2)
    for kind in ("raw", "skipped"):
        assert len(pq.read_table(tmp_path / f"{kind}1.parquet")) == 0
    assert finish(tmp_path, FilterConfig())["images"] == 5


def test_a_line_break_in_a_name_breaks_no_log_line(
    write_shard, search, folder_of_images, tmp_path, caplog
):
    (folder_of_images / "g\nERROR all is lost.jpg").write_bytes(b"no image")
    search(write_shard(tmp_path / "shard.parquet", 5), 0)
    assert [record.getMessage().count("\n") for record in caplog.records] == [0, 0, 0]
    assert r"'g\nERROR all is lost.jpg'" in caplog.text


def test_images_larger_than_allowed_are_skipped(write_shard, images, folder_of_images, tmp_path):
    Image.new("RGB", (201, 150)).save(folder_of_images / "a/one.jpg")
    small = images.model_copy(update={"max_megapixels": 0.03})
    outputs = tmp_path / "raw", tmp_path / "skipped"
    shard = write_shard(tmp_path / "shard.parquet", 0, 2)
    search_shard(SearchJob(shard, open_source(images), ProposalsConfig(), small, 1, *outputs))
    keys = [pq.read_table(path)["key"].to_pylist() for path in outputs]
    assert keys == [["b/one.jpg"], ["a/one.jpg"]]


def test_unreadable_images_are_listed_with_the_reason(searched):
    finish(searched, FilterConfig())
    skipped = pq.read_table(searched / "skip.parquet").to_pylist()
    assert [row["key"] for row in skipped] == ["e_empty.jpg", "f_cut.jpg"]
    assert "truncated" in skipped[1]["reason"]


def test_images_without_proposals_are_logged_when_shards_are_merged(searched, caplog):
    finish(searched, FilterConfig())
    assert "no proposal" not in caplog.text
    summary = finish(searched, FilterConfig(min_side=1000))
    assert summary["images_without_proposals_after_fallbacks"] == 5
    for words in ("5 of 5 images", "filter.min_side", "max_without_proposals"):
        assert words in caplog.text


def test_too_many_unreadable_images_stop_the_run(searched):
    with refused("proposals.too_many_skipped", skipped=2, images=7, max_skipped=0.1) as caught:
        finish(searched, FilterConfig(), max_skipped=0.1)
    assert "e_empty.jpg" in caught.value.values["examples"]
    assert not (searched / "store.arrow").exists()


def test_the_merged_stores_have_every_image_in_order(searched):
    summary = finish(searched, FilterConfig())
    table = pq.read_table(searched / "store.parquet")
    mapped = ProposalStore(searched / "store.arrow")
    assert [mapped.key(n) for n in range(len(mapped))] == table["key"].to_pylist()
    for n, rects in enumerate(rects_of(table)):
        assert np.array_equal(mapped.rects(n), rects)
    assert summary == json.loads((searched / "sum.json").read_text())
    assert summary["images"] == 5
    assert summary["proposals_after_fallbacks"] == sum(len(mapped.rects(n)) for n in range(5))


def test_the_stores_do_not_depend_on_the_shards(searched, write_shard, search, tmp_path):
    settings = FilterConfig(strategy="size0103", fallbacks=["none"])
    finish(searched, settings)
    outputs = [searched / name for name in OUTPUTS]
    before = [path.read_bytes() for path in outputs]
    for n, (first, last) in enumerate([(4, None), (0, 1), (1, 4)]):
        search(write_shard(tmp_path / f"other{n}.parquet", first, last), n)
    finish(searched, settings, shards=3)
    assert [path.read_bytes() for path in outputs] == before


def test_the_first_fallback_that_keeps_any_region_is_used(searched):
    # size1010 keeps only regions as large as the image: none, since a rect is a pixel smaller.
    summary = finish(
        searched, FilterConfig(strategy="size1010", fallbacks=["size1010", {"ratio": 3.0}, "none"])
    )
    assert summary["images_without_proposals_after_filter"] == 5
    assert summary["images_by_strategy"] == {"ratio3": 5}
    assert summary["images_without_proposals_after"] == [
        ["size1010", 5],
        ["size1010", 5],
        ["ratio3", 0],
        ["none", 0],
    ]
    assert (
        summary["proposals_after_filter"]
        == 0
        < summary["proposals_after_fallbacks"]
        < summary["regions"]
    )


def test_an_image_that_no_fallback_helps_stays_empty(searched):
    summary = finish(searched, FilterConfig(min_side=1000))
    assert summary["images_without_proposals_after"] == [
        ["ratio3size0308", 5],
        ["ratio3", 5],
        ["none", 5],
    ]
    assert summary["images_by_strategy"] == {"no proposals": 5}
    assert len(ProposalStore(searched / "store.arrow").rects(3)) == 0
