import os
import subprocess
import sys

import pytest

from soco.io import atomic_write, remove_folder, write_json

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


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    for name in ("file", "other"):
        subprocess.run([sys.executable, "-c", LEAVE_HALF, tmp_path / name], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with atomic_write(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert (tmp_path / "file").read_text() == "whole"
    assert len(left) == 2 and left[0].startswith(".other.")


def test_another_writer_at_work_is_left_alone(tmp_path):
    with atomic_write(tmp_path / "file") as ours:
        ours.write_text("ours")
        theirs = ours.with_name(ours.name.replace(f".{os.getpid()}.", f".{os.getppid()}."))
        theirs.write_text("theirs")
        with atomic_write(tmp_path / "file.parquet") as third:
            third.write_text("third")
        assert ours.exists()
    assert theirs.exists()
    assert (tmp_path / "file").read_text() == "ours"


def test_a_folder_that_is_removed_is_whole_under_its_name_or_gone(tmp_path, monkeypatch):
    """A run would resume from a checkpoint whose log is gone already."""
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
