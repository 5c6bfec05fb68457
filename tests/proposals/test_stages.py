import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from soco.config import FilterConfig, ProposalsConfig
from soco.data import open_source, read_rgb
from soco.data.stores.merged import ProposalStore
from soco.data.stores.schema import entries_of, rects_of
from soco.errors import UserError
from soco.proposals import selective_search
from soco.proposals.filter_stage import filter_shard, fix_up_shard
from soco.proposals.merge_stage import merge_shards
from soco.proposals.search_stage import search_shard


@pytest.fixture
def search(images, tmp_path):
    """Search a shard into raw and skipped stores of a name."""

    def run(shard, name, jobs=1, **settings):
        raw, skipped = tmp_path / f"raw{name}.parquet", tmp_path / f"skipped{name}.parquet"
        search_shard(
            shard, open_source(images), ProposalsConfig(**settings), images, jobs, raw, skipped
        )
        return raw, skipped

    return run


@pytest.fixture
def searched(write_shard, search, tmp_path):
    """Two shards, searched."""
    for n, (first, last) in enumerate([(0, 3), (3, None)]):
        search(write_shard(tmp_path / f"shard{n}.parquet", first, last), n)
    return tmp_path


def finish(folder, settings, max_skipped=0.5, shards=2):
    for n in range(shards):
        filter_shard(folder / f"raw{n}.parquet", settings, folder / f"filtered{n}.parquet")
        fix_up_shard(
            folder / f"raw{n}.parquet",
            folder / f"filtered{n}.parquet",
            settings,
            folder / f"fixed{n}.parquet",
        )
    paths = {
        kind: [folder / f"{kind}{n}.parquet" for n in range(shards)]
        for kind in ("filtered", "fixed", "skipped")
    }
    outputs = {
        "store": "store.parquet",
        "arrow": "store.arrow",
        "skipped_store": "skip.parquet",
        "summary": "sum.json",
    }
    named = {key: folder / name for key, name in outputs.items()}
    return merge_shards(**paths, settings=settings, max_skipped=max_skipped, **named)


def test_raw_regions_are_those_of_selective_search(searched, folder_of_images):
    table = pq.read_table(searched / "raw0.parquet")
    assert table["key"].to_pylist() == ["a/one.jpg", "b/one.jpg", "b/two two.png"]
    for row, rects in zip(table.to_pylist(), rects_of(table), strict=True):
        rgb = read_rgb(folder_of_images / row["key"])
        assert (row["height"], row["width"]) == rgb.shape[:2]
        assert np.array_equal(np.column_stack([rects, row["size"]]), selective_search(rgb))


def test_raw_rows_tell_where_their_image_lies(searched, images):
    table = pq.read_table(searched / "raw1.parquet")
    assert entries_of(table) == list(open_source(images).entries())[3:5]


@pytest.mark.parametrize("engine", ["soco", "opencv"])
def test_a_shard_searched_again_is_the_same_bytes(write_shard, search, tmp_path, engine):
    shard = write_shard(tmp_path / "shard.parquet")
    once, again = (
        search(shard, "once", engine=engine),
        search(shard, "again", jobs=2, engine=engine),
    )
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_a_search_killed_at_any_moment_leaves_whole_files_and_ends_alike(
    write_shard, images, tmp_path
):
    shard = write_shard(tmp_path / "shard.parquet", 3)
    script = Path(__file__).with_name("kill_search.py")
    arguments = [
        sys.executable,
        script,
        shard,
        images.path,
        tmp_path / "undisturbed",
        tmp_path / "killed",
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    moments = json.loads(done.stdout)
    # Both kills at a rename left the part that was being written; the second came after the raw
    # regions were whole.
    assert moments["rename 1"] == [[], 1]
    assert moments["rename 2"] == [["raw.parquet"], 1]
    # Of the kills by time, one at least struck before anything was written.
    assert [[], 0] in [moments[moment] for moment in moments if moment.endswith("%")]


def test_a_shard_without_images_goes_through_every_stage(write_shard, search, tmp_path):
    search(write_shard(tmp_path / "all.parquet"), 0)
    search(write_shard(tmp_path / "none.parquet", 7), 1, jobs=2)
    assert (
        len(pq.read_table(tmp_path / "raw1.parquet"))
        == len(pq.read_table(tmp_path / "skipped1.parquet"))
        == 0
    )
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
    raw, skipped = tmp_path / "raw", tmp_path / "skipped"
    shard = write_shard(tmp_path / "shard.parquet", 0, 2)
    search_shard(shard, open_source(images), ProposalsConfig(), small, 1, raw, skipped)
    assert pq.read_table(raw)["key"].to_pylist() == ["b/one.jpg"]
    assert pq.read_table(skipped)["key"].to_pylist() == ["a/one.jpg"]


def test_unreadable_images_are_listed_with_their_reason(searched):
    finish(searched, FilterConfig())
    skipped = pq.read_table(searched / "skip.parquet").to_pylist()
    assert [row["key"] for row in skipped] == ["e_empty.jpg", "f_cut.jpg"]
    assert "truncated" in skipped[1]["reason"]


def test_images_without_proposals_are_said_when_the_store_is_made(searched, caplog):
    finish(searched, FilterConfig())
    assert "no proposal" not in caplog.text
    summary = finish(searched, FilterConfig(min_side=1000))
    assert summary["images_without_proposals_after_fix_up"] == 5
    assert (
        "5 of 5 images have no proposal (the filter kept no region of 5: filter.min_side is 1000"
        " pixels, the median shorter side of these images is 150, and the strategies tried are"
        " ratio3size0308, ratio3, none); pretraining takes each of them as one box, the whole"
        " image, and refuses more than pretrain.NAME.max_without_proposals" in caplog.text
    )


def test_too_many_unreadable_images_stop_the_run(searched):
    with pytest.raises(UserError, match=r"2 of 7 images .*max_skipped = 0\.1 .*e_empty\.jpg"):
        finish(searched, FilterConfig(), max_skipped=0.1)
    assert not (searched / "store.arrow").exists()


def test_the_merged_stores_hold_every_image_in_order(searched):
    summary = finish(searched, FilterConfig())
    table, mapped = (
        pq.read_table(searched / "store.parquet"),
        ProposalStore(searched / "store.arrow"),
    )
    assert [mapped.key(n) for n in range(len(mapped))] == table["key"].to_pylist()
    for n, rects in enumerate(rects_of(table)):
        assert np.array_equal(mapped.rects(n), rects)
    assert summary == json.loads((searched / "sum.json").read_text())
    assert summary["images"] == 5
    assert summary["proposals_after_fix_up"] == sum(len(mapped.rects(n)) for n in range(5))


def test_how_images_are_dealt_into_shards_leaves_no_trace(searched, write_shard, search, tmp_path):
    settings = FilterConfig(strategy="size0103", fallbacks=["none"])
    finish(searched, settings)
    outputs = [
        searched / name for name in ("store.parquet", "store.arrow", "skip.parquet", "sum.json")
    ]
    before = [path.read_bytes() for path in outputs]
    for n, (first, last) in enumerate([(4, None), (0, 1), (1, 4)]):
        search(write_shard(tmp_path / f"other{n}.parquet", first, last), n)
    finish(searched, settings, shards=3)
    assert [path.read_bytes() for path in outputs] == before


def test_the_fix_up_takes_the_first_fallback_that_keeps_any(searched):
    # size1010 keeps regions as large as the image alone: none, since a rect is a pixel short of it
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
        < summary["proposals_after_fix_up"]
        < summary["regions"]
    )


def test_an_image_that_nothing_fits_stays_empty(searched):
    summary = finish(searched, FilterConfig(min_side=1000))
    assert summary["images_without_proposals_after"] == [
        ["ratio3size0308", 5],
        ["ratio3", 5],
        ["none", 5],
    ]
    assert summary["images_by_strategy"] == {"no proposals": 5}
    assert len(ProposalStore(searched / "store.arrow").rects(3)) == 0
