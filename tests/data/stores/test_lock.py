"""Only one process at a time may use a folder of checkpoints."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import filelock._unix
import pytest
from user_errors import refused

from soco.data.stores.lock import exclusive_lock

HOLD = """
import os, sys, time
from pathlib import Path
from soco.data.stores.lock import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    worker = os.fork()
    if worker:
        print(worker, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process with the lock, and a forked worker of it: the process and the worker's id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "run"], stdout=subprocess.PIPE, text=True
    )
    worker = int(process.stdout.readline())
    yield process, worker
    process.kill()
    process.wait()
    os.kill(worker, signal.SIGKILL)


def test_a_locked_folder_is_refused_with_its_owner_until_the_owner_is_killed(tmp_path, holder):
    """Whether or not the owner's forked workers are still running: they only read images."""
    process, worker = holder
    in_use = refused("data.folder_in_use", folder=tmp_path / "run")
    with in_use as caught, exclusive_lock(tmp_path / "run", patience=0.1):
        pass
    assert caught.value.values["owner"].startswith(f"process {process.pid} on ")
    process.kill()
    process.wait()
    os.kill(worker, 0)
    with exclusive_lock(tmp_path / "run", patience=0):
        assert (tmp_path / "run" / "lock").read_text().startswith(f"process {os.getpid()} on ")


def test_a_waiting_run_starts_when_the_owner_ends(tmp_path, holder, caplog):
    caplog.set_level("INFO")
    subprocess.Popen(
        [sys.executable, "-c", f"import os, time; time.sleep(1); os.kill({holder[0].pid}, 9)"]
    )
    started = time.monotonic()
    with exclusive_lock(tmp_path / "run", patience=30):
        assert time.monotonic() - started > 0.5
    assert "waiting 30 s" in caplog.text


def test_an_owner_may_remove_the_folder(tmp_path):
    for _ in range(2):
        with exclusive_lock(tmp_path / "run", patience=0):
            shutil.rmtree(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog):
    def without_locks(_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock._unix, "lock_fd_nonblocking", without_locks)
    with exclusive_lock(tmp_path / "run", patience=0):
        pass
    assert "file system without locks" in caplog.text
