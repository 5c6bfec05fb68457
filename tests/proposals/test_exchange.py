import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from user_errors import refused

from soco.config import FilterConfig, ImagesConfig
from soco.data import Entry
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import ProposalStore, write_arrow
from soco.data.stores.schema import (
    PROPOSAL_SCHEMA,
    RECT_COLUMNS,
    image_columns,
    rect_columns,
    rects_of,
)
from soco.proposals.exchange import export_proposals, read_boxes
from soco.proposals.filter_stage import apply_fallbacks, filter_shard
from soco.proposals.import_stage import ImageNames, import_shards
from soco.proposals.merge_stage import MergeJob, merge_shards

KEYS = ["a/one.jpg", "b/one.jpg", "b/two two.png", "c/été.webp", "d.bmp"]


@pytest.fixture
def store(tmp_path):
    """Write a store in both formats; returns the two paths."""

    def write(name, keys, rects):
        columns = {
            **image_columns([Entry(key, "", 0, 1) for key in keys], [(200, 150)] * len(keys)),
            "regions": [9] * len(keys),
            "strategy": ["none"] * len(keys),
            **rect_columns([np.array(of_image).reshape(-1, 4) for of_image in rects]),
        }
        table = pa.table(columns, schema=PROPOSAL_SCHEMA)
        write_table(tmp_path / f"{name}.parquet", table)
        write_arrow(tmp_path / f"{name}.arrow", merge_files([tmp_path / f"{name}.parquet"]))
        return tmp_path / f"{name}.parquet", tmp_path / f"{name}.arrow"

    return write


@pytest.fixture
def imported(write_shard, images, tmp_path):
    """Import a file into two shards; returns key -> regions, and why images were skipped."""

    def run(file):
        shards = [
            write_shard(tmp_path / f"shard{n}", *part) for n, part in enumerate([(0, 2), (2, None)])
        ]
        raw, skipped = (
            [tmp_path / f"{kind}{n}.parquet" for n in range(2)] for kind in ("raw", "skipped")
        )
        import_shards(shards, file, images, raw, skipped)
        tables = [pq.read_table(path) for path in raw]
        keys = [key for table in tables for key in table["key"].to_pylist()]
        regions = [rects.tolist() for table in tables for rects in rects_of(table)]
        reasons = [row for path in skipped for row in pq.read_table(path).to_pylist()]
        return dict(zip(keys, regions, strict=True)), {row["key"]: row["reason"] for row in reasons}

    return run


def as_json(path, content):
    path.write_text(json.dumps(content))
    return path


def test_images_are_found_by_every_kind_of_name(imported, tmp_path, caplog):
    boxes = {
        name: [[n, n, 50, 60]]
        for n, name in enumerate(["a/one.jpg", "b/one.jpg", "two two.png", "été", "none"])
    }
    regions, reasons = imported(as_json(tmp_path / "boxes.json", boxes))
    # The size of a truncated image is known.
    expected = [[[n, n, 50, 60]] for n in range(4)] + [[], []]
    assert regions == dict(zip([*KEYS, "f_cut.jpg"], expected, strict=True))
    assert reasons == {"e_empty.jpg": "its size is not known"}
    assert "3 images have no entry" in caplog.text
    assert "1 entries of" in caplog.text


def test_an_ambiguous_base_name_is_refused(imported, tmp_path):
    images = {"first": "a/one.jpg", "second": "b/one.jpg"}
    with refused("proposals.ambiguous_name", name="one.jpg", **images):
        imported(as_json(tmp_path / "boxes.json", {"one.jpg": []}))


def test_the_fullest_name_counts(tmp_path):
    names = ImageNames(["one.jpg", "b/one.jpg", "b/two.jpg", "c/two.png"])
    assert names.find("one.jpg") == (0, 0)
    assert names.find("b/one.jpg") == (1, 0)
    assert names.find("two.png") == (3, 1)
    assert names.find("three") is None
    with refused("proposals.ambiguous_name", first="b/two.jpg", second="c/two.png"):
        names.find("two")


@pytest.mark.parametrize("order", [1, -1])
def test_an_entry_with_a_fuller_name_replaces_another(imported, tmp_path, order, caplog):
    boxes = {"d.bmp": [[1, 1, 9, 9]], "d": [[2, 2, 9, 9]]}
    regions, _ = imported(as_json(tmp_path / "boxes.json", dict(list(boxes.items())[::order])))
    assert regions["d.bmp"] == [[1, 1, 9, 9]]
    assert "1 entries of" in caplog.text and "fuller name" in caplog.text


def test_a_duplicate_entry_is_refused(imported, tmp_path):
    (tmp_path / "boxes.json").write_text('{"d.bmp": [], "d.bmp": []}')
    with refused("proposals.duplicate_entry", file=tmp_path / "boxes.json", name="d.bmp"):
        imported(tmp_path / "boxes.json")


def test_boxes_are_rounded_and_clipped(imported, tmp_path, caplog):
    # The image has 200 x 150 pixels.
    boxes = [
        [1.4, 2.6, 30.2, 39.9],
        [170, 100, 30, 50],
        [-5, -6, 20, 20],
        [190, 140, 50, 50],
        [300, 10, 5, 5],
    ]
    regions, _ = imported(as_json(tmp_path / "boxes.json", {"two two": boxes}))
    assert regions["b/two two.png"] == [
        [1, 3, 30, 40], [170, 100, 30, 50], [0, 0, 15, 14], [190, 140, 10, 10], [200, 10, 0, 5],
    ]  # fmt: skip
    assert "3 boxes of" in caplog.text


def test_unreadable_and_too_large_images_are_skipped(write_shard, folder_of_images, tmp_path):
    Image.new("RGB", (201, 150)).save(folder_of_images / "d.bmp")
    shard = write_shard(tmp_path / "shard")
    small = ImagesConfig(path=str(folder_of_images), max_megapixels=0.03)
    import_shards(
        [shard], as_json(tmp_path / "b.json", {}), small, [tmp_path / "raw"], [tmp_path / "skipped"]
    )
    reasons = {row["key"]: row["reason"] for row in pq.read_table(tmp_path / "skipped").to_pylist()}
    too_large = "0.0 megapixels, more than images.max_megapixels allows (0.03)"
    assert reasons == {"e_empty.jpg": "its size is not known", "d.bmp": too_large}


def test_parquet_with_other_columns_and_number_types_is_read(imported, tmp_path):
    lists = [[[10, 20], []], [[11, 21], []], [[40.6, 50.0], []], [[41, 51], []]]
    columns = {
        "score": [0.5, 0.2],
        **dict(zip(RECT_COLUMNS, lists, strict=True)),
        "key": ["d.bmp", "a/one.jpg"],
    }
    pq.write_table(pa.table(columns), tmp_path / "boxes.parquet")
    regions, _ = imported(tmp_path / "boxes.parquet")
    assert regions["d.bmp"] == [[10, 11, 41, 41], [20, 21, 50, 51]]
    assert regions["a/one.jpg"] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"a": [[1, 2, 3, 4]]',
        '{"a" [[1]]}',
        '{"a": []} more',
        "{1: []}",
        "\xff",
        "PAR1",
    ],
)
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "boxes.json").write_bytes(text.encode("latin-1"))
    code = "invalid_parquet" if text == "PAR1" else "invalid_json"
    with refused(f"proposals.{code}", path=tmp_path / "boxes.json"):
        list(read_boxes(tmp_path / "boxes.json"))


@pytest.mark.parametrize(
    "boxes", [3, [1, 2, 3, 4], [[1, 2, 3]], [["a", 1, 2, 3]], [[1, 2, 3, float("nan")]], None]
)
def test_invalid_boxes_are_refused_by_name(tmp_path, boxes):
    with refused("proposals.invalid_boxes", name="a/b"):
        list(read_boxes(as_json(tmp_path / "boxes.json", {"a/b": boxes})))


def test_a_long_file_is_read_entry_by_entry(tmp_path, monkeypatch):
    content = {f"né {n}": [[n, i, 3, 4] for i in range(n)] for n in range(30)}
    monkeypatch.setattr("soco.proposals.exchange._CHUNK", 7)
    for indent in (None, 1):
        (tmp_path / "boxes.json").write_text(json.dumps(content, indent=indent))
        assert {
            name: boxes.tolist() for name, boxes in read_boxes(tmp_path / "boxes.json")
        } == content


def test_other_parquet_and_missing_files_are_refused(tmp_path):
    pq.write_table(pa.table({"key": ["a"], "left": [[1]]}), tmp_path / "boxes.parquet")
    with refused("proposals.invalid_parquet", path=tmp_path / "boxes.parquet"):
        list(read_boxes(tmp_path / "boxes.parquet"))
    uneven = {"key": ["a"], "left": [[1]], "top": [[1]], "box_width": [[1]], "box_height": [[1, 2]]}
    pq.write_table(pa.table(uneven), tmp_path / "uneven.parquet")
    with refused("proposals.uneven_columns", path=tmp_path / "uneven.parquet"):
        list(read_boxes(tmp_path / "uneven.parquet"))
    with refused("proposals.boxes_not_found", path=tmp_path / "missing"):
        list(read_boxes(tmp_path / "missing"))


@pytest.mark.parametrize("form", [0, 1])
def test_an_export_is_in_the_authors_format(store, tmp_path, form):
    path = store("s", ["a/x.jpg", 'b/y\n"é.jpg'], [[[1, 2, 3, 4], [5, 6, 7, 8]], []])[form]
    assert export_proposals(path, tmp_path / "out.json") == 2
    content = json.loads((tmp_path / "out.json").read_text())
    assert content == {"x.jpg": [[1, 2, 3, 4], [5, 6, 7, 8]], 'y\n"é.jpg': []}


def test_ambiguous_base_names_are_exported_by_key_only(store, tmp_path):
    path, _ = store("s", ["a/x.jpg", "b/x.jpg"], [[], []])
    with refused("proposals.duplicate_base_name", first="a/x.jpg", second="b/x.jpg"):
        export_proposals(path, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
    export_proposals(path, tmp_path / "out.json", by="key")
    assert json.loads((tmp_path / "out.json").read_text()) == {"a/x.jpg": [], "b/x.jpg": []}


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_an_export_imported_unfiltered_is_the_same_store(store, imported, tmp_path, form):
    rng = np.random.default_rng(2)
    rects = [
        np.column_stack([rng.integers(0, 90, (n, 2)), rng.integers(1, 60, (n, 2))]).tolist()
        for n in range(5)
    ]
    exported, _ = store("s", KEYS, rects)
    if form == "json":
        export_proposals(exported, tmp_path / "s.json", by="key")
        exported = tmp_path / "s.json"
    imported(exported)
    unfiltered = FilterConfig(strategy="none", fallbacks=[], min_side=0)
    raw, fixed = ([tmp_path / f"{kind}{n}.parquet" for n in range(2)] for kind in ("raw", "fixed"))
    for of_raw, of_fixed in zip(raw, fixed, strict=True):
        filter_shard(of_raw, unfiltered, of_fixed)
        apply_fallbacks(of_raw, of_fixed, unfiltered, of_fixed)
    skipped = [tmp_path / f"skipped{n}.parquet" for n in range(2)]
    outputs = [tmp_path / name for name in ("m.parquet", "m.arrow", "m.skipped", "m.json")]
    merge_shards(MergeJob(fixed, fixed, skipped, unfiltered, 0.5, *outputs))
    merged = ProposalStore(outputs[1])
    assert {merged.key(n): merged.rects(n).tolist() for n in range(5)} == dict(
        zip(KEYS, rects, strict=True)
    )
