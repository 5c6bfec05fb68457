import hashlib
import os
import subprocess
import sys

import pytest
from user_errors import refused

from soco.io import atomic_write, fingerprint, remove_folder, write_json

LEAVE_HALF = """
import os, signal, sys
from soco.io import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "file.json", {"a": 1})
    before = (tmp_path / "file.json").read_bytes()
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "file.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]
    assert (tmp_path / "file.json").read_bytes() == before


def test_the_next_write_removes_what_a_killed_writer_left(tmp_path):
    for name in ("file", "other"):
        subprocess.run([sys.executable, "-c", LEAVE_HALF, tmp_path / name], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with atomic_write(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert (tmp_path / "file").read_text() == "whole"
    assert len(left) == 2 and left[0].startswith(".other.")


def test_the_file_of_another_running_writer_is_kept(tmp_path):
    with atomic_write(tmp_path / "file") as ours:
        ours.write_text("ours")
        theirs = ours.with_name(ours.name.replace(f".{os.getpid()}.", f".{os.getppid()}."))
        theirs.write_text("theirs")
        with atomic_write(tmp_path / "file.parquet") as third:
            third.write_text("third")
        assert ours.exists()
    assert theirs.exists()
    assert (tmp_path / "file").read_text() == "ours"


def test_a_folder_is_removed_whole_or_not_at_all(tmp_path, monkeypatch):
    """Otherwise a run could resume from a checkpoint whose log is gone."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("log.jsonl", "step-00000001.pt"):
        (folder / name).touch()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", interrupted)
        remove_folder(folder)
    assert len(list(folder.iterdir())) == 2
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        calls = []
        patch.setattr(
            "shutil.rmtree", lambda path, **_: interrupted() if calls else calls.append(path)
        )
        remove_folder(folder)
    assert not folder.exists() and len(list(tmp_path.iterdir())) == 1
    remove_folder(folder)
    assert not list(tmp_path.iterdir())


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_the_fingerprint_of_a_file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"soco" * 100_000)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert fingerprint(path) == {"path": str(path), "bytes": 400_000, "sha256": expected}


def test_a_missing_file_has_no_fingerprint(tmp_path):
    with refused("io.file_not_found", path=tmp_path / "no-such"):
        fingerprint(tmp_path / "no-such")


def test_the_fingerprint_of_a_folder_is_that_of_its_listing(tmp_path):
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
