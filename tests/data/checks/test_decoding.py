"""Every image is decoded before a detection set is used, once for each version of its file."""

import json
import logging
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zlib

import numpy as np
import pytest
import yaml
from PIL import Image

from soco.cli import main
from soco.data.checks import check_dataset, decoded_folder
from soco.data.checks.decoding import read_files

SIZE = (40, 30)


@pytest.fixture
def cache(tmp_path):
    return decoded_folder(tmp_path / "results", "own")


@pytest.fixture
def decoded(detection_set, cache, caplog):
    """Check the set with its cache; return how many images each split decoded, and the findings."""

    def check():
        caplog.clear()
        with caplog.at_level(logging.INFO, "soco.data.checks.decoding"):
            findings = check_dataset(detection_set.dataset(), cache=cache).findings
        counts = [
            record.args[0] for record in caplog.records if "images to decode" in record.getMessage()
        ]
        return counts, [(finding.code, finding.sentence) for finding in findings]

    return check


def photo(detection_set, split, number):
    return detection_set.folder / split / f"{split}{number}.jpg"


def cut_short(path):
    """Leave the header and most of the pixels."""
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_truncated_image_is_dropped_with_its_reason(detection_set, findings, sentence, split):
    cut_short(photo(detection_set, split, 3))
    assert findings() == [(split, "image.unreadable", 1)]
    assert f"1 ({split}3.jpg: image file is truncated" in sentence("image.unreadable")
    written = detection_set.write()[0 if split == "train" else 1]
    assert sorted(image["id"] for image in written["images"]) == [1, 2, *range(4, 13)]
    assert 3 not in {entry["image_id"] for entry in written["annotations"]}


def test_many_truncated_images_are_refused(detection_set):
    for number in (3, 7):
        cut_short(photo(detection_set, "val", number))
    (refused,) = detection_set.check().refused
    assert refused.code == "image.too_many_dropped"
    assert "of 12: 2 (val3.jpg, val7.jpg)" in refused.sentence


@pytest.mark.parametrize(
    ("kind", "reason"), [(np.float32, "floats"), (np.int32, "32-bit integers")]
)
def test_values_without_an_agreed_white_are_dropped(detection_set, train, sentence, kind, reason):
    Image.fromarray(np.ones(SIZE[::-1], kind)).save(detection_set.folder / "train" / "train3.tif")
    train["images"][2]["file_name"] = "train3.tif"
    assert "1 (train3.tif: " in sentence("image.unreadable")
    assert reason in sentence("image.unreadable")


def claiming(width, height):
    """A PNG that claims more pixels than there are."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_header_that_claims_another_size_is_believed_without_decoding(detection_set, sentence):
    photo(detection_set, "train", 3).write_bytes(claiming(1_000_000, 1_000_000))
    assert "listed 40 x 30, file 1000000 x 1000000" in sentence("image.other_size")


def test_a_second_check_decodes_only_what_changed(detection_set, decoded):
    assert decoded() == ([12, 12], [])
    assert decoded() == ([0, 0], [])
    path = photo(detection_set, "val", 5)
    cut_short(path)
    counts, ((code, _),) = decoded()
    assert (counts, code) == ([0, 1], "image.unreadable")
    assert decoded()[0] == [0, 1]  # what cannot be read is read again: its disk may be back
    Image.new("RGB", SIZE).save(path)
    assert decoded() == ([0, 1], [])
    assert decoded()[0] == [0, 0]


def test_the_cache_compares_path_length_and_time(detection_set, decoded):
    decoded()
    path = photo(detection_set, "val", 5)
    before, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-300] + bytes(300))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert decoded() == ([0, 0], [])  # the content is not compared
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert decoded()[0] == [0, 1]
    path.write_bytes(data + b"\0")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert decoded()[0] == [0, 1]


def test_findings_are_the_same_from_the_cache(detection_set, train, decoded):
    """The cache contains sizes, rotations and hashes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE, "red").save(photo(detection_set, "train", 3), exif=exif)
    train["images"][2] |= {"width": 30, "height": 40}
    photo(detection_set, "val", 4).write_bytes(photo(detection_set, "train", 4).read_bytes())
    del train["images"][4]["width"]
    counts, first = decoded()
    assert counts == [12, 12]
    assert len(first) == 3
    again, second = decoded()
    assert again == [0, 0]
    assert second == first


@pytest.mark.parametrize("damage", ["no Parquet", "cut short", "other columns", "another decoder"])
def test_a_damaged_cache_is_ignored_and_replaced(detection_set, decoded, cache, damage):
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = decoded()
    path = cache / "train.parquet"
    if damage == "no Parquet":
        path.write_bytes(b"words")
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage == "other columns":
        pq.write_table(pa.table({"path": [b"x"]}), path)
    else:
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({b"soco.decoder": b"another"}), path)
    assert decoded() == ([12, 0], first[1])
    assert decoded() == ([0, 0], first[1])


def test_the_cache_drops_what_the_set_no_longer_lists(detection_set, val, decoded, cache):
    import pyarrow.parquet as pq

    decoded()
    assert pq.read_table(cache / "val.parquet").num_rows == 12
    for table in ("images", "annotations"):
        del val[table][:2]
    Image.new("RGB", SIZE).save(photo(detection_set, "val", 5))
    assert decoded()[0] == [0, 1]
    assert pq.read_table(cache / "val.parquet").num_rows == 10


def test_a_cache_that_cannot_be_written_stops_nothing(detection_set, cache, decoded, caplog):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder would be")
    assert decoded() == ([12, 12], [])
    assert "the next check decodes all images again" in caplog.text


def test_odd_names_are_cached_or_reported(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    odd = folder / os.fsdecode(b"caf\xe9.png")  # no UTF-8
    Image.new("RGB", SIZE).save(odd, "PNG")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    names = ["folder.png", "pipe.png", "a\0b.png", "\ud800.png", "x" * 300 + ".png", "absent/1.png"]
    paths = [odd, *(folder / name for name in names)]
    for _ in range(2):
        files = read_files(paths, [SIZE] * len(paths), threads=2, cache=tmp_path / "cache.parquet")
        assert files[0].size == SIZE
        assert [file.size for file in files[1:]] == [None] * 6
        reasons = ["missing"] * 4 + ["the file cannot be read: File name too long", "missing"]
        assert [file.reason for file in files[1:]] == reasons


def test_a_check_that_is_killed_keeps_what_it_has_decoded(tmp_path):
    """A scheduler's time limit is SIGTERM, which ends Python without an exception."""
    import pyarrow.parquet as pq

    Image.effect_noise((1000, 1000), 50).save(tmp_path / "0.jpg")
    paths = [tmp_path / f"{number}.jpg" for number in range(300)]
    for path in paths[1:]:
        path.hardlink_to(paths[0])
    script = """
        import sys
        from pathlib import Path
        from soco.data.checks import decoding
        decoding._SAVE_SECONDS = 0.1
        paths = [Path(sys.argv[1], f"{number}.jpg") for number in range(300)]
        decoding.read_files(paths, [None] * 300, threads=1, cache=Path(sys.argv[2]))
    """
    cache = tmp_path / "cache.parquet"
    command = [sys.executable, "-c", textwrap.dedent(script), tmp_path, cache]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not cache.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM
    assert 0 < pq.read_table(cache).num_rows < 300


@pytest.fixture
def config(detection_set):
    """Write a configuration of the set, with these keys of `images`; return its path."""

    def write(**images):
        path = detection_set.folder / "mine.yaml"
        dataset = detection_set.dataset().model_dump(mode="json")
        content = {"images": {"path": "x", **images}, "datasets": {"own": dataset}}
        path.write_text(
            yaml.safe_dump(content | {"results": str(detection_set.folder / "results")})
        )
        return str(path)

    return write


def test_a_limit_on_unlabelled_images_drops_none_of_the_set(config, capsys):
    assert main(["check-data", config(max_megapixels=0.001)]) == 0  # each has 1,200 pixels
    assert "own can be used: 0 refused, 0 repaired, 0 noted" in capsys.readouterr().out


def test_the_command_and_the_rule_share_the_cache(detection_set, config, capsys, caplog):
    cut_short(photo(detection_set, "val", 3))
    assert main(["check-data", config()]) == 0
    assert "1 (val3.jpg: image file is truncated" in capsys.readouterr().out
    remembered = decoded_folder(detection_set.folder / "results", "own")
    with caplog.at_level(logging.INFO, "soco.data.checks.decoding"):
        check_dataset(detection_set.dataset(), threads=1, cache=remembered)
    assert [record.args for record in caplog.records] == [(0, 12), (1, 11)]
    assert (
        json.loads((detection_set.folder / "val.json").read_text()) == detection_set.contents["val"]
    )
