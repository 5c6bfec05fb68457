"""Hostile archives.

Each gives a UserError or a skipped image, in little time and memory.
"""

import io
import re
import struct
import subprocess
import sys
import tarfile
import textwrap
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from user_errors import refused

from soco.config import ImagesConfig
from soco.data import UnreadableImageError, open_source
from soco.data.sources import parquet, tar
from soco.data.sources.zip import MAX_INFLATED
from soco.errors import UserError

DATA = b"the bytes of an image"


def entries(path, layout):
    return list(open_source(ImagesConfig(path=str(path), layout=layout)).entries())


def keys(path, layout):
    return [entry.key for entry in entries(path, layout)]


def member(name, data=DATA, **changes):
    made = tarfile.TarInfo(name)
    made.size = len(data)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def tar_file(path, *members):
    """A tar of a valid image and the members."""
    with tarfile.open(path, "w") as archive:
        archive.addfile(member("good.jpg"), io.BytesIO(DATA))
        for each in members:
            archive.addfile(each, io.BytesIO(DATA) if each.isreg() else None)
    return path


def with_header(path, header):
    """A tar that ends with a header that no library writes."""
    whole = tar_file(path).read_bytes().rstrip(b"\0")
    path.write_bytes(whole + b"\0" * (-len(whole) % 512) + header + b"\0" * 1024)
    return path


def header(name, size, kind=b"0"):
    """A header whose size is written in base 256, so that it may be negative."""
    made = member(name, b"")
    made.type = kind
    raw = bytearray(made.tobuf(tarfile.USTAR_FORMAT))
    raw[124:136] = (size % 256**12).to_bytes(12, "big")
    raw[124] |= 0x80
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


@pytest.mark.parametrize("name", ["evil.jpg", "notes.txt", "inner.tar"])
@pytest.mark.parametrize("layout", ["tar", "webdataset"])
def test_a_negative_size_in_a_tar_ends_the_listing(tmp_path, name, layout):
    path = with_header(tmp_path / "x.tar", header(name, -512))
    with refused("data.invalid_file", path=path, reason=f"'{name}' has a negative size"):
        keys(path, layout)


def test_a_negative_size_in_an_extended_header_ends_the_listing(tmp_path):
    path = tar_file(tmp_path / "x.tar", member("notes.txt", pax_headers={"size": "-4096"}))
    with refused("data.invalid_file", reason="'notes.txt' has a negative size"):
        keys(path, "tar")


@pytest.mark.parametrize("size", [1 << 40, -1024])
def test_an_extended_header_of_any_claimed_length_is_not_read(tmp_path, size):
    path = with_header(tmp_path / "x.tar", header("long.jpg", size, tarfile.XHDTYPE))
    with refused("data.invalid_file", kind="tar") as caught:
        keys(path, "tar")
    assert re.fullmatch(r"a header claims a length of -?\d+", caught.value.values["reason"])


def test_an_extended_header_that_takes_hours_to_search_is_refused(tmp_path):
    path = tar_file(tmp_path / "x.tar", member("a.jpg", pax_headers={"comment": "7" * 200_000}))
    with refused(
        "data.invalid_file", reason="a header contains a number of more than 1,000 digits"
    ):
        keys(path, "tar")


def test_a_long_chain_of_headers_is_refused(tmp_path):
    chain = (header("long.jpg", 512, tarfile.XHDTYPE) + b"9 a=bcde\n".ljust(512, b"\0")) * 1200
    with refused("data.invalid_file", kind="tar") as caught:
        keys(with_header(tmp_path / "x.tar", chain), "tar")
    assert caught.value.values["reason"].startswith("maximum recursion depth")


@pytest.mark.parametrize("depth", [tar._MAX_DEPTH, tar._MAX_DEPTH + 1, 1200])
def test_tars_in_tars_are_read_to_a_depth(tmp_path, pack, depth):
    packed, name = DATA, "a.jpg"
    for _ in range(depth):
        packed = pack.tar_bytes({name: packed}).rstrip(b"\0")
        packed, name = packed + b"\0" * (-len(packed) % 512 + 512), "n.tar"
    (tmp_path / "x.tar").write_bytes(packed)
    if depth == tar._MAX_DEPTH:
        assert keys(tmp_path / "x.tar", "tar") == ["n/" * (depth - 1) + "a.jpg"]
        return
    with refused("data.nested_too_deep", path=tmp_path / "x.tar", most=8):
        keys(tmp_path / "x.tar", "tar")


def test_a_broken_tar_in_a_tar_is_named(tmp_path, pack):
    (tmp_path / "x.tar").write_bytes(pack.tar_bytes({"n01.tar": b"no tar at all" * 99}))
    with refused("data.invalid_file", path=tmp_path / "x.tar") as caught:
        keys(tmp_path / "x.tar", "tar")
    assert caught.value.values["reason"].startswith("in n01.tar: ")


def test_members_named_like_images_that_are_none_are_counted(tmp_path, caplog):
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
    odd = [
        member(f"odd{n}.jpg", b"", type=kind, linkname="/etc/passwd")
        for n, kind in enumerate(kinds)
    ]
    path = tar_file(
        tmp_path / "x.tar",
        *odd,
        member("../../up.jpg"),
        member("a/../../up.jpg"),
        member("/etc/x.jpg"),
    )
    assert keys(path, "tar") == ["good.jpg", "etc/x.jpg"]
    assert (
        "ignored 4 links, sparse files or devices named like images, first 'odd0.jpg'"
        in caplog.text
    )
    assert "ignored 2 images whose names lead out of the tar, first '../../up.jpg'" in caplog.text


def test_a_sparse_file_in_a_tar_is_counted(tmp_path, caplog):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.seek(1 << 20)
        file.write(DATA)
    (tmp_path / "b.jpg").write_bytes(DATA)
    subprocess.run(["tar", "-Scf", "x.tar", "a.jpg", "b.jpg"], cwd=tmp_path, check=True)
    assert keys(tmp_path / "x.tar", "tar") == ["b.jpg"]
    assert (
        "ignored 1 links, sparse files or devices named like images, first 'a.jpg'" in caplog.text
    )


def test_compressed_tars_next_to_plain_ones_are_counted(tmp_path, pack, caplog):
    (tmp_path / "a.tar").write_bytes(pack.tar_bytes({"a.jpg": DATA}))
    for name in ("labels.tar.gz", "more.TGZ"):
        (tmp_path / name).write_bytes(b"\x1f\x8b")
    assert keys(tmp_path, "webdataset") == ["a/a.jpg"]
    warning = "ignored 2 compressed tars, which cannot be read in place, first 'labels.tar.gz'"
    assert warning in caplog.text


def test_compressed_tars_alone_are_refused(tmp_path):
    (tmp_path / "b.tar.gz").write_bytes(b"\x1f\x8b")
    with refused("data.only_compressed_tars", path=tmp_path, first="b.tar.gz"):
        keys(tmp_path, "webdataset")


def zip_file(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.jpg", DATA)
        for name, data in members:
            archive.writestr(name, data)
    return path


def claimed(path, name, size, behind=False):
    """Change the inflated size in a member's header, or mark it as following the data."""
    packed = bytearray(path.read_bytes())
    at = packed.index(name.encode()) - 30
    packed[at + 6] |= 8 if behind else 0
    packed[at + 22 : at + 26] = struct.pack("<I", size)
    path.write_bytes(packed)


ZEROS = b"\0" * (1 << 20)


@pytest.mark.parametrize(
    ("size", "behind", "reason"),
    [
        (1000, False, "inflates to more than the 1,000 bytes that the zip claims"),
        (0, False, "inflates to more than the 0 bytes that the zip claims"),
        (1 << 21, False, "the zip's data are broken: they end too early"),
        (
            MAX_INFLATED + 1,
            False,
            "inflates to 536,870,913 bytes, more than 536,870,912: store it as it is",
        ),
        (0, True, None),
        (0xFFFFFFFF, False, None),
    ],
)
def test_a_member_of_a_zip_inflates_no_further_than_it_claims(tmp_path, size, behind, reason):
    path = zip_file(tmp_path / "x.zip", ("zeros.jpg", ZEROS))
    claimed(path, "zeros.jpg", size, behind)
    source = open_source(ImagesConfig(path=str(path), layout="zip"))
    good, zeros = source.entries()
    assert source.read(good) == DATA
    if reason is None:
        assert source.read(zeros) == ZEROS
        return
    with pytest.raises(UnreadableImageError, match=reason):
        source.read(zeros)


def test_a_zip_bomb_of_unknown_size_stops_at_the_limit(tmp_path):
    """4 GB of zeros, in a process with less memory."""
    deflating = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflating.compress(ZEROS) + deflating.flush(zlib.Z_FULL_FLUSH)
    body = block * 4096 + deflating.flush()
    name, end = b"bomb.jpg", len(body) + 38
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 8, 8, 0, 0, 0, 0, 0, len(name), 0) + name + body
    central = (
        struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, 8, 8, 0, 0, 0, len(body), 9, len(name), *[0] * 6
        )
        + name
    )
    path = tmp_path / "x.zip"
    path.write_bytes(
        local + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), end, 0)
    )
    script = """
        import resource, sys
        from soco.config import ImagesConfig
        from soco.data import UnreadableImageError, open_source
        source = open_source(ImagesConfig(path=sys.argv[1], layout="zip"))
        entry, = source.entries()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30),) * 2)
        try:
            source.read(entry)
        except UnreadableImageError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        done.stdout
        == "it inflates to more than the 536,870,912 bytes that an image in a zip may have\n"
    )


@pytest.mark.parametrize("field", ["size", "offset"])
def test_numbers_of_zip64_that_lead_out_of_the_file_are_refused(tmp_path, field):
    most, name = 2**64 - 1, b"evil.jpg"
    local = (
        struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, len(DATA), len(DATA), len(name), 0)
        + name
        + DATA
    )
    numbers = len(DATA), most if field == "size" else len(DATA), most if field == "offset" else 0
    extra, unknown = struct.pack("<HH3Q", 1, 24, *numbers), 0xFFFFFFFF
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", *[45] * 2, *[0] * 5, *[unknown] * 2, 8, 28, *[0] * 4, unknown
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central + name + extra), len(local), 0)
    (tmp_path / "x.zip").write_bytes(local + central + name + extra + end)
    with refused("data.invalid_file", reason="its member 'evil.jpg' is outside of the file"):
        keys(tmp_path / "x.zip", "zip")


def test_members_of_a_zip_that_share_their_bytes_are_refused(tmp_path):
    path = zip_file(tmp_path / "x.zip", ("a.jpg", ZEROS), ("b.jpg", ZEROS))
    packed = bytearray(path.read_bytes())
    last = packed.rindex(b"PK\1\2")
    packed[last + 42 : last + 46] = struct.pack("<I", packed.index(b"a.jpg") - 30)
    path.write_bytes(packed)
    with refused("data.invalid_file", kind="zip") as caught:
        keys(path, "zip")
    assert caught.value.values["reason"].endswith("overlaps another one")


def test_a_central_directory_with_any_wrong_byte_gives_a_short_error(tmp_path):
    path = zip_file(tmp_path / "x.zip")
    whole = path.read_bytes()
    place = whole.index(b"PK\1\2")
    for at in range(place, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            for entry in entries(path, "zip"):
                open_source(ImagesConfig(path=str(path), layout="zip")).read(entry)
        except (UserError, UnreadableImageError) as error:
            assert len(str(error)) < 500


def test_names_that_lead_out_of_a_zip_are_counted(tmp_path, caplog):
    path = zip_file(
        tmp_path / "x.zip", ("../up.jpg", DATA), ("a/../../up.jpg", DATA), ("..\\up.jpg", DATA)
    )
    assert keys(path, "zip") == ["good.jpg"]
    assert "ignored 3 images whose names lead out of the zip, first '../up.jpg'" in caplog.text


@pytest.fixture
def parquet_file(tmp_path):
    """Sixty rows in two row groups, and the settings that read them."""
    table = pa.table(
        {"image": [{"bytes": bytes([n]) * 3000, "path": f"{n}.jpg"} for n in range(60)]}
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=30, compression="zstd")
    return tmp_path / "x.parquet"


def test_a_parquet_file_with_any_wrong_byte_gives_a_short_error(parquet_file):
    whole = parquet_file.read_bytes()
    settings = ImagesConfig(path=str(parquet_file), layout="parquet")
    outcomes = set()
    for at in range(0, len(whole), 23):
        parquet_file.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        source = open_source(settings)
        try:
            for entry in list(source.entries())[::20]:
                source.read(entry)
            outcomes.add("read")
        except (UserError, UnreadableImageError) as error:
            assert len(str(error)) < 500
            outcomes.add(type(error).__name__)
    assert outcomes == {"read", "UserError", "UnreadableImageError"}


def test_a_row_group_that_takes_too_much_is_refused_before_it_is_decoded(parquet_file, monkeypatch):
    monkeypatch.setattr(parquet, "_MAX_GROUP_BYTES", 50_000)
    with refused("data.row_group_too_large", group=0, path=parquet_file):
        keys(parquet_file, "parquet")


def test_more_rows_than_bytes_are_refused(tmp_path):
    pq.write_table(pa.table({"image": pa.nulls(3_000_000, pa.binary())}), tmp_path / "x.parquet")
    with refused("data.invalid_file", kind="parquet") as caught:
        keys(tmp_path / "x.parquet", "parquet")
    assert "3,000,000 rows" in caught.value.values["reason"]


def test_an_image_repeated_a_thousand_times_is_decoded_once(tmp_path):
    """1,000 rows of one value of 1 MB: a dictionary of one value instead of a gigabyte."""
    value = pa.array([b"x" + ZEROS[1:]], pa.binary())
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), value)
    pq.write_table(
        pa.table({"image": column}),
        tmp_path / "x.parquet",
        compression="zstd",
        dictionary_pagesize_limit=1 << 22,
    )
    source = open_source(ImagesConfig(path=str(tmp_path), layout="parquet"))
    last = list(source.entries())[-1]
    before = pa.total_allocated_bytes()
    assert source.read(last) == b"x" + ZEROS[1:]
    assert pa.total_allocated_bytes() - before < 100 << 20


@pytest.mark.parametrize(("rows", "equal"), [(10, True), (200, True), (100, False)])
def test_equal_rows_are_stored_once_only_if_rows_need_more_than_their_pages(
    tmp_path, monkeypatch, rows, equal
):
    """Storing them once takes three times as long, and pretraining reads such groups often."""
    images = [bytes([0 if equal else row]) * (1 << 17) for row in range(rows)]
    pq.write_table(pa.table({"image": images}), tmp_path / "x.parquet", row_group_size=rows)
    monkeypatch.setattr(parquet, "_MAX_BATCH_BYTES", 2 << 20)
    source = open_source(ImagesConfig(path=str(tmp_path), layout="parquet"))
    entries = list(source.entries())
    before = pa.total_allocated_bytes()
    assert [source.read(entry) for entry in entries] == images
    assert pa.total_allocated_bytes() - before < (4 << 20 if equal else 16 << 20)
    (kept,) = source._reader._groups.values()
    assert pa.types.is_dictionary(kept.type) == (equal and rows == 200)
