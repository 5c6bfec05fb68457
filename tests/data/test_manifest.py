import os

import numpy as np
import pyarrow.parquet as pq
import pytest
from user_errors import refused

from soco.data import (
    MANIFEST_SCHEMA,
    SHARD_SCHEMA,
    Entry,
    image_size,
    open_source,
    read_listed,
    split_into_shards,
)
from soco.data.shards import rebalance_shards, shard_loads, split_by_load
from soco.data.stores.schema import entries_of


class Counting:
    """A source that records which keys are read."""

    def __init__(self, settings):
        self.source, self.read_keys = open_source(settings), []

    def entries(self):
        return self.source.entries()

    def read(self, entry):
        self.read_keys.append(entry.key)
        return self.source.read(entry)

    def state(self):
        return self.source.state()


class Listing:
    """Splits images into shards in a folder, each time it is called."""

    def __init__(self, settings, folder, shards):
        self.settings, self.manifest = settings, folder / "manifest.parquet"
        self.shards = [folder / f"{n:04d}.parquet" for n in range(shards)]

    def __call__(self, threads=2):
        """List; returns the keys that were read, and the shards whose bytes changed."""
        before = [path.read_bytes() if path.exists() else b"" for path in self.shards]
        source = Counting(self.settings)
        self.counts = split_into_shards(source, self.settings, self.manifest, self.shards, threads)
        changed = [n for n, path in enumerate(self.shards) if path.read_bytes() != before[n]]
        return sorted(source.read_keys), changed

    def rows(self):
        return pq.read_table(self.manifest).to_pylist()


@pytest.fixture
def many(tmp_path, photographs, pack):
    """Forty images of one size in a folder tree, split into four shards."""
    data = photographs["a/one.jpg"]
    settings = pack.folder(tmp_path / "tree", {f"{n // 10}/{n:02d}.jpg": data for n in range(40)})
    listing = Listing(settings, tmp_path / "shards", 4)
    listing()
    listing.tree = tmp_path / "tree"
    return listing


def test_every_image_is_in_one_shard_with_size_and_hash(packed, tmp_path):
    listing = Listing(packed, tmp_path / "shards", 3)
    listing()
    tables = [pq.read_table(path) for path in listing.shards]
    assert all(table.schema.equals(SHARD_SCHEMA, check_metadata=True) for table in tables)
    assert pq.read_table(listing.manifest).schema.equals(MANIFEST_SCHEMA)
    source, places = open_source(packed), ("key", "container", "offset", "bytes")
    rows = [row for table in tables for row in table.to_pylist()]
    if packed.layout in ("folder", "tar", "parquet"):
        assert [row["key"] for row in rows] == [entry.key for entry in source.entries()]
    for row in rows:
        entry = Entry(**{name: row[name] for name in places})
        assert (row["width"], row["height"]) == image_size(source.read(entry))
    assert len({row["sha256"] for row in rows}) == 8
    assert {len(table) for table in tables} == {2, 3}


def test_a_second_listing_reads_nothing_and_writes_the_same_bytes(packed, tmp_path):
    listing = Listing(packed, tmp_path / "shards", 3)
    assert len(listing()[0]) == 8
    manifest = listing.manifest.read_bytes()
    assert listing(threads=7) == ([], [])
    assert listing.manifest.read_bytes() == manifest
    assert listing.counts == {"images": 8, "read": 0, "reused": 8, "unreadable": 0, "shards": 3}


def test_a_changed_image_is_read_and_changes_its_shard_alone(many, photographs):
    (many.tree / "1/12.jpg").write_bytes(photographs["b/one.jpg"])
    assert many() == (["1/12.jpg"], [1])


def test_a_touched_image_is_read_and_changes_no_shard(many):
    os.utime(many.tree / "1/12.jpg", ns=(0, 1))
    assert many() == (["1/12.jpg"], [])


def test_new_images_join_the_shard_of_the_neighbour_before_them(many, photographs):
    (many.tree / "1/19a.jpg").write_bytes(photographs["a/one.jpg"])
    assert many() == (["1/19a.jpg"], [1])
    (many.tree / "0/000.jpg").write_bytes(photographs["a/one.jpg"])
    (many.tree / "0").joinpath("-before-all.jpg").write_bytes(photographs["a/one.jpg"])
    assert many() == (["0/-before-all.jpg", "0/000.jpg"], [0])


def test_a_removed_image_changes_its_shard_alone(many):
    (many.tree / "2/25.jpg").unlink()
    assert many() == ([], [2])
    assert many.counts["images"] == 39


def test_a_shard_that_is_too_heavy_rebalances_all_and_reads_only_new_images(
    many, photographs, caplog
):
    caplog.set_level("INFO")
    new = [f"1/19{n:02d}.jpg" for n in range(20)]
    for key in new:
        (many.tree / key).write_bytes(photographs["a/one.jpg"])
    assert many() == (new, [0, 1, 2, 3])
    assert "rebalancing all shards" in caplog.text
    assert {len(pq.read_table(path)) for path in many.shards} == {15}


def test_another_number_of_shards_splits_again_and_reads_nothing(many, tmp_path):
    many.shards.append(tmp_path / "shards" / "0004.parquet")
    assert many() == ([], [0, 1, 2, 3, 4])
    assert {len(pq.read_table(path)) for path in many.shards} == {8}


@pytest.mark.parametrize("content", [b"", b"PAR1 broken", None])
def test_a_manifest_that_is_broken_or_of_another_version_is_ignored(many, content):
    if content is None:
        pq.write_table(pq.read_table(many.manifest).drop_columns(["sha256"]), many.manifest)
    else:
        many.manifest.write_bytes(content)
    read, changed = many()
    assert len(read) == 40
    assert changed == []


def test_an_unreadable_image_is_listed_without_a_size(folder_of_images, tmp_path, pack):
    (folder_of_images / "gone.jpg").symlink_to("nowhere")
    listing = Listing(pack.folder(folder_of_images, {}), tmp_path / "shards", 9)
    listing()
    sizes = {row["key"]: (row["width"], row["height"]) for row in listing.rows()}
    assert sizes["e_empty.jpg"] == sizes["gone.jpg"] == (0, 0)
    assert sizes["f_cut.jpg"] == (200, 150)
    assert listing.counts["unreadable"] == 2
    assert sum(len(pq.read_table(path)) for path in listing.shards) == 8
    assert listing() == (
        ["e_empty.jpg", "gone.jpg"],
        [],
    )  # tried again: a disk may have been unmounted


def test_an_image_rewritten_in_a_tar_is_found_by_the_tars_time(tmp_path, photographs, pack):
    listing = Listing(pack.tar(tmp_path / "x.tar", photographs), tmp_path / "shards", 2)
    listing()
    assert len(listing()[0]) == 0
    swapped = photographs | {"d.bmp": photographs["d.bmp"][:-3] + b"\0\0\0"}
    pack.tar(tmp_path / "x.tar", swapped)
    os.utime(tmp_path / "x.tar", ns=(0, 1))
    read, changed = listing()
    assert (len(read), len(changed)) == (8, 1)


def test_shards_have_equal_pixels_not_equal_counts():
    rng = np.random.default_rng(1)
    loads = rng.lognormal(12, 1, 5000)
    numbers = split_by_load(loads, 16)
    assert (np.diff(numbers) >= 0).all()
    totals = shard_loads(numbers, loads, 16)
    assert totals.max() < 1.02 * totals.mean()
    assert np.ptp(np.bincount(numbers)) > 10


def test_one_huge_image_does_not_rebalance_each_time():
    loads = np.ones(100)
    loads[30] = 1000
    before = split_by_load(loads, 4)
    assert np.array_equal(rebalance_shards(before, loads, 4), before)


def test_a_new_split_is_never_rebalanced():
    rng = np.random.default_rng(2)
    for _ in range(200):
        loads = rng.pareto(0.5, rng.integers(1, 60)) + 0.1
        before = split_by_load(loads, 7)
        assert np.array_equal(rebalance_shards(before, loads, 7), before)


def test_a_manifest_of_another_source_is_ignored(many, photographs, pack, tmp_path):
    """Even if keys, lengths and times are equal, as after unpacking with fixed times."""
    other = photographs["a/one.jpg"][::-1]
    settings = pack.folder(tmp_path / "other", {f"{n // 10}/{n:02d}.jpg": other for n in range(40)})
    for path in (tmp_path / "other").rglob("*.jpg"):
        here = (tmp_path / "tree" / path.relative_to(tmp_path / "other")).stat()
        os.utime(path, ns=(here.st_mtime_ns, here.st_mtime_ns))
    many.settings = settings
    read, changed = many()
    assert len(read) == 40
    assert changed == [0, 1, 2, 3]


def test_an_image_replaced_after_its_listing_is_refused(tmp_path, photographs, pack):
    settings = pack.tar(
        tmp_path / "all.tar", {"a.jpg": photographs["a/one.jpg"], "b.jpg": photographs["b/one.jpg"]}
    )
    shard = tmp_path / "0000.parquet"
    split_into_shards(open_source(settings), settings, tmp_path / "manifest.parquet", [shard], 1)
    listed = entries_of(pq.read_table(shard))
    assert [read_listed(open_source(settings), entry) for entry in listed] == [
        photographs["a/one.jpg"],
        photographs["b/one.jpg"],
    ]
    pack.tar(
        tmp_path / "all.tar", {"a.jpg": photographs["b/one.jpg"], "b.jpg": photographs["a/one.jpg"]}
    )
    with refused("data.image_changed", key="a.jpg"):
        read_listed(open_source(settings), listed[0])
