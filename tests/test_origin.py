import json

import numpy as np
import pyarrow as pa
import pytest
import safetensors
import torch
from detectron2.checkpoint import DetectionCheckpointer

from soco.data.stores.merged import ProposalStore, rows_digest, write_arrow
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import read_table, write_table
from soco.io import made_by, write_json, write_result
from soco.provenance.audit.files import read_origin
from soco.transfer.convert.formats import write_detectron2, write_mmdetection, write_safetensors

ORIGIN = {"rule": "some_rule", "wildcards": {"shard": "0001"}, "seed": 3}
TABLE = pa.table({"key": ["a", "b"]})
TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)}

WRITERS = {
    "table.parquet": lambda path: write_table(path, TABLE),
    "weights.pkl": lambda path: write_detectron2(path, TENSORS),
    "weights.pth": lambda path: write_mmdetection(path, TENSORS),
    "weights.safetensors": lambda path: write_safetensors(path, TENSORS),
    "result.json": lambda path: write_result(path, {"AP": 3.0}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_a_stage_tells_what_made_it_and_another_does_not(tmp_path, name):
    WRITERS[name](tmp_path / name)
    assert read_origin(tmp_path / name) is None
    plain = (tmp_path / name).read_bytes()
    with made_by(ORIGIN):
        WRITERS[name](tmp_path / name)
    assert read_origin(tmp_path / name) == ORIGIN
    first = (tmp_path / name).read_bytes()
    with made_by(ORIGIN):
        WRITERS[name](tmp_path / name)
    assert (tmp_path / name).read_bytes() == first != plain


def test_the_store_opens_with_its_origin_and_the_rows_have_one_digest(small_store, tmp_path):
    store, _ = small_store
    with made_by(ORIGIN):
        write_arrow(tmp_path / "again.arrow", merge_files([tmp_path / "small.parquet"]))
    assert read_origin(tmp_path / "again.arrow") == ORIGIN and read_origin(store) is None
    assert len(ProposalStore(tmp_path / "again.arrow")) == 5
    assert rows_digest(store) == rows_digest(tmp_path / "again.arrow")
    fewer = merge_files([tmp_path / "small.parquet"]).slice(0, 4)
    write_arrow(tmp_path / "fewer.arrow", fewer)
    assert rows_digest(tmp_path / "fewer.arrow") != rows_digest(store)


def test_a_shard_tells_its_rule_alone(tmp_path):
    for commit in ("1", "2"):
        with made_by({**ORIGIN, "code": {"commit": commit}}):
            write_table(tmp_path / commit, TABLE, short_origin=True)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    (tmp_path / "1").rename(tmp_path / "1.parquet")
    assert read_origin(tmp_path / "1.parquet") == {"rule": "some_rule"}
    assert read_table(tmp_path / "1.parquet", TABLE.schema).equals(TABLE)


def test_detectron2_loads_a_file_with_an_origin(tmp_path):
    layer = torch.nn.Linear(3, 2)
    with made_by(ORIGIN):
        write_detectron2(
            tmp_path / "weights.pkl", {name: value.numpy() for name, value in TENSORS.items()}
        )
    DetectionCheckpointer(layer).load(str(tmp_path / "weights.pkl"))
    assert np.array_equal(layer.weight.detach(), TENSORS["weight"])


def test_other_metadata_stays(tmp_path):
    with made_by(ORIGIN):
        write_table(tmp_path / "t.parquet", TABLE.replace_schema_metadata({"mine": "1"}))
        write_safetensors(tmp_path / "t.safetensors", TENSORS)
    import pyarrow.parquet as pq

    assert pq.read_schema(tmp_path / "t.parquet").metadata[b"mine"] == b"1"
    with safetensors.safe_open(tmp_path / "t.safetensors", "np") as file:
        assert json.loads(file.metadata()["soco"])["origin"] == ORIGIN


def test_what_is_no_result_carries_none(tmp_path):
    with made_by(ORIGIN):
        write_json(tmp_path / "note.json", {"a": 1})
    assert json.loads((tmp_path / "note.json").read_text()) == {"a": 1}
