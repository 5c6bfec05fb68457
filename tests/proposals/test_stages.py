import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from soco.config import FilterConfig, ProposalsConfig
from soco.errors import UserError
from soco.pictures import read_rgb, write_shards
from soco.proposals import selective_search
from soco.proposals.filter_stage import filter_shard, fix_up_shard
from soco.proposals.merge_stage import merge_shards
from soco.proposals.search_stage import search_shard
from soco.stores.merged import ProposalStore
from soco.stores.schema import rects_of


@pytest.fixture
def searched(folder_of_pictures, tmp_path):
    """Two shards, searched."""
    shards = [str(tmp_path / f"shard{n}.parquet") for n in range(2)]
    write_shards(folder_of_pictures, shards)
    for n, shard in enumerate(shards):
        raw, skipped = tmp_path / f"raw{n}.parquet", tmp_path / f"skipped{n}.parquet"
        search_shard(shard, folder_of_pictures, ProposalsConfig(), jobs=1, raw=raw, skipped=skipped)
    return tmp_path


def finish(folder, settings, max_skipped=0.5):
    for n in range(2):
        filter_shard(folder / f"raw{n}.parquet", settings, folder / f"filtered{n}.parquet")
        fix_up_shard(
            folder / f"raw{n}.parquet", folder / f"filtered{n}.parquet", settings, folder / f"fixed{n}.parquet"
        )
    paths = {kind: [folder / f"{kind}{n}.parquet" for n in range(2)] for kind in ("filtered", "fixed", "skipped")}
    outputs = {"store": "store.parquet", "arrow": "store.arrow", "skipped_store": "skip.parquet", "summary": "sum.json"}
    return merge_shards(**paths, max_skipped=max_skipped, **{key: folder / name for key, name in outputs.items()})


def test_raw_regions_are_those_of_selective_search(searched, folder_of_pictures):
    table = pq.read_table(searched / "raw0.parquet")
    assert table["key"].to_pylist() == ["a/one.jpg", "b/one.jpg", "b/two two.png"]
    for key, rects, sizes in zip(table["key"].to_pylist(), rects_of(table), table["size"].to_pylist(), strict=True):
        found = selective_search(read_rgb(folder_of_pictures / key))
        assert np.array_equal(np.column_stack([rects, sizes]), found)


def test_a_shard_searched_again_is_the_same_bytes(searched, folder_of_pictures):
    before = (searched / "raw0.parquet").read_bytes()
    search_shard(
        searched / "shard0.parquet", folder_of_pictures, ProposalsConfig(), 2, searched / "again", searched / "skip"
    )
    assert (searched / "again").read_bytes() == before


def test_unreadable_pictures_are_listed_with_their_reason(searched):
    finish(searched, FilterConfig())
    skipped = pq.read_table(searched / "skip.parquet").to_pylist()
    assert [row["key"] for row in skipped] == ["e_empty.jpg", "f_cut.jpg"]
    assert "truncated" in skipped[1]["reason"]


def test_too_many_unreadable_pictures_stop_the_run(searched):
    with pytest.raises(UserError, match=r"2 of 7 pictures .*max_skipped = 0\.1 .*e_empty\.jpg"):
        finish(searched, FilterConfig(), max_skipped=0.1)
    assert not (searched / "store.arrow").exists()


def test_the_merged_stores_hold_every_picture_in_order(searched):
    summary = finish(searched, FilterConfig())
    table, mapped = pq.read_table(searched / "store.parquet"), ProposalStore(searched / "store.arrow")
    assert [mapped.key(n) for n in range(len(mapped))] == table["key"].to_pylist()
    for n, rects in enumerate(rects_of(table)):
        assert np.array_equal(mapped.rects(n), rects)
    assert summary == json.loads((searched / "sum.json").read_text())
    assert summary["pictures"] == 5
    assert summary["proposals_after_fix_up"] == sum(len(mapped.rects(n)) for n in range(5))


def test_the_fix_up_takes_the_first_fallback_that_keeps_any(searched):
    # size1010 keeps regions as large as the picture alone: none, since a rect is a pixel short of it
    summary = finish(searched, FilterConfig(strategy="size1010", fallbacks=("size1010", "ratio3", "none")))
    assert summary["pictures_without_proposals_after_filter"] == 5
    assert summary["pictures_by_strategy"] == {"ratio3": 5}
    assert summary["proposals_after_filter"] == 0 < summary["proposals_after_fix_up"] < summary["regions"]


def test_a_picture_that_nothing_fits_stays_empty(searched):
    summary = finish(searched, FilterConfig(min_side=1000))
    assert summary["pictures_by_strategy"] == {"no proposals": 5}
    assert len(ProposalStore(searched / "store.arrow").rects(3)) == 0
