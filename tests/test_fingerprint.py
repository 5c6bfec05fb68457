import hashlib

import pytest

from soco.errors import UserError
from soco.io import fingerprint


def test_a_files_hash_is_hashlibs(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"soco" * 100_000)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert fingerprint(path) == {"path": str(path), "bytes": 400_000, "sha256": expected}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no-such"):
        fingerprint(tmp_path / "no-such")


def test_a_folder_is_told_by_its_listing(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"22")
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / ".snakemake_timestamp").write_bytes(b"")
    expected = hashlib.sha256(b"b/two\t2\none\t1\n").hexdigest()
    assert fingerprint(tmp_path) == {
        "path": str(tmp_path),
        "bytes": 3,
        "files": 2,
        "sha256": expected,
    }
    (tmp_path / "one").write_bytes(b"11")
    assert fingerprint(tmp_path)["sha256"] != expected
