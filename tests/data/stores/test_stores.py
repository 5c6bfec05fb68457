import pickle

import numpy as np
import pyarrow as pa
import pytest
from user_errors import refused

from soco.data import Entry
from soco.data.stores.merging import merge_files, proposal_tables
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.proposal_store import STORE_SCHEMA, ProposalStore, write_arrow
from soco.data.stores.schema import (
    PROPOSAL_SCHEMA,
    entries_of,
    image_columns,
    rect_columns,
    rects_of,
)
from soco.proposals.boxes import rects_to_boxes

ENTRIES = [
    Entry("c", "2.tar", 1536, 90),
    Entry("b/é", "1.tar", 512, 80),
    Entry("a\nb", "1.tar", 1 << 33, 70),
]
RECTS = [[[1, 2, 3, 4], [5, 6, 7, 8]], [], [[9, 10, 11, 12]]]


@pytest.fixture
def table():
    """Three rows, not sorted by key."""
    columns = {
        **image_columns(ENTRIES, [(100, 50), (32767, 1), (7, 9)]),
        "regions": [5, 1, 2],
        "strategy": ["ratio3", "", "none"],
        **rect_columns([np.array(rects).reshape(-1, 4) for rects in RECTS]),
    }
    return pa.table(columns, schema=PROPOSAL_SCHEMA)


@pytest.fixture
def merge(tmp_path):
    """Write tables as shards and merge these."""

    def run(*tables):
        paths = [tmp_path / f"shard{number}.parquet" for number in range(len(tables))]
        for path, table in zip(paths, tables, strict=True):
            write_table(path, table)
        return merge_files(paths)

    return run


@pytest.fixture
def store(table, merge, tmp_path):
    write_arrow(tmp_path / "store.arrow", merge(table))
    return ProposalStore(tmp_path / "store.arrow")


def test_rects_become_boxes_as_in_the_release():
    assert rects_to_boxes(np.array([[287, 363, 201, 148]])).tolist() == [[287, 363, 487, 510]]


def test_rects_survive_the_columns(table):
    assert [rects.tolist() for rects in rects_of(table)] == RECTS
    assert entries_of(table) == ENTRIES


def test_the_parquet_encodings_lose_nothing(table, tmp_path):
    write_table(tmp_path / "store.parquet", table)
    assert read_table(tmp_path / "store.parquet", PROPOSAL_SCHEMA).equals(table)
    assert read_table(
        tmp_path / "store.parquet", PROPOSAL_SCHEMA, ["key", "left"]
    ).column_names == ["key", "left"]


def test_the_store_has_the_location_of_each_image_sorted_by_key(store):
    assert len(store) == 3
    assert [store.key(n) for n in range(3)] == ["a\nb", "b/é", "c"]
    assert [store.entry(n) for n in range(3)] == ENTRIES[::-1]
    assert [store.size(n) for n in range(3)] == [(7, 9), (32767, 1), (100, 50)]
    assert [store.rects(n).tolist() for n in range(3)] == RECTS[::-1]


def test_a_row_is_a_view_of_the_file(store):
    rects = store.rects(2)
    assert rects.base is not None and rects.flags.c_contiguous and not rects.flags.writeable


def test_how_rows_are_split_into_tables_leaves_no_trace(table, merge):
    whole = merge(table)
    assert merge(table.slice(2, 1), table.slice(2, 0), table.slice(0, 2)).equals(whole)
    assert pa.concat_tables(proposal_tables(whole, rows=2)).equals(table.sort_by("key"))


def test_an_image_in_two_tables_is_refused(table, merge):
    with refused("data.image_in_two_shards", key="a\nb"):
        merge(table, table.slice(2))


def test_more_rects_than_the_offsets_can_count_are_refused(table, merge, monkeypatch):
    monkeypatch.setattr("soco.data.stores.merging.MAX_RECTS", 2)
    with refused("data.too_many_proposals", total=3, most=2):
        merge(table)


def test_the_mapped_store_pickles_as_its_path(store):
    pickled = pickle.dumps(store)
    assert len(pickled) < 300
    assert pickle.loads(pickled).rects(0).tolist() == RECTS[2]


def test_a_store_without_rows_opens(table, merge, tmp_path):
    write_arrow(tmp_path / "empty.arrow", merge(table.slice(3)))
    assert len(ProposalStore(tmp_path / "empty.arrow")) == 0


@pytest.mark.parametrize("metadata", [None, {"format": "soco proposal store", "version": "0"}])
def test_a_store_of_another_version_is_refused(table, merge, tmp_path, metadata):
    write_arrow(tmp_path / "other.arrow", merge(table).replace_schema_metadata(metadata))
    with refused("data.store_version", path=tmp_path / "other.arrow"):
        ProposalStore(tmp_path / "other.arrow")


def test_other_files_are_refused(tmp_path):
    write_arrow(
        tmp_path / "other.arrow",
        pa.record_batch({"key": ["a"]}).replace_schema_metadata(STORE_SCHEMA.metadata),
    )
    with refused("data.store_version"):
        ProposalStore(tmp_path / "other.arrow")
    (tmp_path / "text.arrow").write_text("no Arrow file")
    with refused("data.store_not_found"):
        ProposalStore(tmp_path / "absent.arrow")
    for name in ("text.arrow", "."):
        with refused("data.store_invalid"):
            ProposalStore(tmp_path / name)
    with refused("data.table_not_found", path=tmp_path / "absent.parquet"):
        read_table(tmp_path / "absent.parquet", PROPOSAL_SCHEMA)
    write_table(tmp_path / "other.parquet", pa.table({"key": ["a"]}))
    with refused("data.table_columns", path=tmp_path / "other.parquet"):
        read_table(tmp_path / "other.parquet", PROPOSAL_SCHEMA)
