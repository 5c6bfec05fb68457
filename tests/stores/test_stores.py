import pickle

import numpy as np
import pyarrow as pa
import pytest

from soco.boxes import rects_to_boxes
from soco.errors import UserError
from soco.stores.files import whole_file, write_json
from soco.stores.merged import ProposalStore, write_arrow
from soco.stores.parquet import read_table
from soco.stores.schema import PROPOSAL_SCHEMA, rect_columns, rects_of


@pytest.fixture
def table():
    rects = [np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.empty((0, 4), np.int64), np.array([[9, 10, 11, 12]])]
    columns = {
        "key": ["a", "b", "c"],
        "width": [100] * 3,
        "height": [50] * 3,
        "regions": [5, 1, 2],
        "strategy": ["ratio3", "", "none"],
        **rect_columns(rects),
    }
    return pa.table(columns, schema=PROPOSAL_SCHEMA)


def test_rects_become_boxes_as_in_the_release():
    assert rects_to_boxes(np.array([[287, 363, 201, 148]])).tolist() == [[287, 363, 487, 510]]


def test_rects_survive_the_columns(table):
    assert [rects.tolist() for rects in rects_of(table)] == [[[1, 2, 3, 4], [5, 6, 7, 8]], [], [[9, 10, 11, 12]]]


def test_the_mapped_store_survives_pickling_as_its_path(table, tmp_path):
    write_arrow(tmp_path / "store.arrow", table)
    pickled = pickle.dumps(ProposalStore(tmp_path / "store.arrow"))
    assert len(pickled) < 300
    assert pickle.loads(pickled).rects(2).tolist() == [[9, 10, 11, 12]]


def test_a_file_of_other_columns_is_refused(tmp_path):
    write_arrow(tmp_path / "other.arrow", pa.table({"key": ["a"]}))
    with pytest.raises(UserError, match="make it again"):
        ProposalStore(tmp_path / "other.arrow")
    with pytest.raises(UserError, match="snakemake proposals"):
        ProposalStore(tmp_path / "absent.arrow")
    with pytest.raises(UserError, match="no store"):
        read_table(tmp_path / "absent.parquet", PROPOSAL_SCHEMA)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "file.json", {"a": 1})
    before = (tmp_path / "file.json").read_bytes()
    with pytest.raises(RuntimeError), whole_file(tmp_path / "file.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]
    assert (tmp_path / "file.json").read_bytes() == before
