"""A small disk for a test that fills it."""

import contextlib
import os
import subprocess

import pytest

SIZE = 1 << 20


def mounted(folder, options):
    """Mount a disk in memory on a folder; skips where the user may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.strip()}")
    return unmounted_after(folder)


@contextlib.contextmanager
def unmounted_after(folder):
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder, room):
    """Fill a disk up to `room` bytes; returns the file to remove to make room."""
    found = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(found.f_bavail * found.f_frsize - room))
    return filler
