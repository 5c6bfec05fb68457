"""Every format stores the origin that its writer receives, and reading and digests ignore it."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors
import torch
from detectron2.checkpoint import DetectionCheckpointer

from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.proposal_store import ProposalStore, rows_digest, write_arrow
from soco.io import write_json
from soco.provenance.audit.files import read_origin
from soco.transfer.convert.formats import write_detectron2, write_mmdetection, write_safetensors

ORIGIN = {"rule": "some_rule", "wildcards": {"shard": "0001"}, "seed": 3}
TABLE = pa.table({"key": ["a", "b"]})
TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)}

WRITERS = {
    "table.parquet": (write_table, TABLE),
    "weights.pkl": (write_detectron2, TENSORS),
    "weights.pth": (write_mmdetection, TENSORS),
    "weights.safetensors": (write_safetensors, TENSORS),
    "result.json": (write_json, {"AP": 3.0}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_has_the_origin_that_its_writer_receives(tmp_path, name):
    write, content = WRITERS[name]
    path = tmp_path / name
    write(path, content)
    assert read_origin(path) is None
    plain = path.read_bytes()
    write(path, content, origin=ORIGIN)
    assert read_origin(path) == ORIGIN
    first = path.read_bytes()
    write(path, content, origin=ORIGIN)
    assert path.read_bytes() == first != plain


def test_the_origin_of_a_store_does_not_change_the_digest_of_its_rows(small_store, tmp_path):
    store, _ = small_store
    rows = merge_files([tmp_path / "small.parquet"])
    write_arrow(tmp_path / "again.arrow", rows, ORIGIN)
    assert read_origin(tmp_path / "again.arrow") == ORIGIN and read_origin(store) is None
    assert len(ProposalStore(tmp_path / "again.arrow")) == 5
    assert rows_digest(store) == rows_digest(tmp_path / "again.arrow")
    write_arrow(tmp_path / "fewer.arrow", rows.slice(0, 4))
    assert rows_digest(tmp_path / "fewer.arrow") != rows_digest(store)


def test_a_shard_names_its_rule_alone(tmp_path):
    for commit in ("1", "2"):
        origin = {**ORIGIN, "code": {"commit": commit}}
        write_table(tmp_path / f"{commit}.parquet", TABLE, short_origin=True, origin=origin)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert read_origin(tmp_path / "1.parquet") == {"rule": "some_rule"}
    assert read_table(tmp_path / "1.parquet", TABLE.schema).equals(TABLE)


def test_detectron2_loads_a_file_with_an_origin(tmp_path):
    layer = torch.nn.Linear(3, 2)
    arrays = {name: value.numpy() for name, value in TENSORS.items()}
    write_detectron2(tmp_path / "weights.pkl", arrays, ORIGIN)
    DetectionCheckpointer(layer).load(str(tmp_path / "weights.pkl"))
    assert np.array_equal(layer.weight.detach(), TENSORS["weight"])


def test_other_metadata_is_kept(tmp_path):
    table = TABLE.replace_schema_metadata({"mine": "1"})
    write_table(tmp_path / "t.parquet", table, origin=ORIGIN)
    write_safetensors(tmp_path / "t.safetensors", TENSORS, ORIGIN)
    assert pq.read_schema(tmp_path / "t.parquet").metadata[b"mine"] == b"1"
    with safetensors.safe_open(tmp_path / "t.safetensors", "np") as file:
        assert json.loads(file.metadata()["soco"])["origin"] == ORIGIN
