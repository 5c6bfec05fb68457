import errno
import subprocess
import sys
from pathlib import Path

import pytest
from user_errors import refused

from soco.machine import machine_fault, machine_faults

TRANSIENT = ("ENOSPC", "EDQUOT", "EROFS", "ESTALE", "EMFILE", "EFBIG")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ENOSPC", "disk is full"),
        ("EDQUOT", "quota"),
        ("EROFS", "read-only"),
        ("EACCES", "no permission"),
        ("EPERM", "no permission"),
        ("EIO", "input/output error"),
        ("ESTALE", "no longer mounted"),
        ("EMFILE", "`ulimit -n`"),
        ("EFBIG", "`ulimit -f`"),
        ("ENOTDIR", "a file in place of a folder"),
    ],
)
def test_an_error_of_the_system_is_one_sentence_with_file_and_remedy(name, words):
    number = getattr(errno, name)
    fault = machine_fault(OSError(number, "system's words", "/results/a"), Path("/results/b"))
    expected = "EACCES" if name == "EPERM" else name
    assert (fault.code, fault.values["error"]) == ("machine.refused", expected)
    assert str(fault.values["place"]) == "/results/a"
    assert words in str(fault) and "run it again" in str(fault) and str(fault).count(". ") == 0
    without_file = machine_fault(OSError(number, "system's words"), Path("/results/a"))
    # Room may have been made since; permissions and broken disks are not blamed on a place that can
    # be written.
    assert (str(without_file) == str(fault)) if name in TRANSIENT else without_file is None


def test_the_failing_place_is_found_if_the_error_names_none(tmp_path):
    (tmp_path / "file").touch()
    error = OSError(errno.ENOTDIR, "Not a directory")
    fault = machine_fault(error, tmp_path, tmp_path / "file" / "below")
    assert (fault.values["error"], fault.values["place"]) == (
        "ENOTDIR",
        tmp_path / "file" / "below",
    )


def test_an_existing_folder_is_not_a_fault(tmp_path):
    assert machine_fault(FileExistsError(errno.EEXIST, "File exists", str(tmp_path))) is None
    (tmp_path / "file").touch()
    fault = machine_fault(FileExistsError(errno.EEXIST, "File exists", str(tmp_path / "file")))
    assert (fault.values["error"], fault.values["place"]) == ("ENOTDIR", tmp_path / "file")


def test_an_error_that_a_library_hides_behind_its_own_is_found():
    with (
        refused("machine.refused", error="ENOSPC", place="/results/a"),
        machine_faults(Path("/results/a")),
    ):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("unexpected pos 704 vs 598")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "process_killed"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "process_ended"),
        ("DataLoader worker (pid 7) is killed by signal: Segmentation fault. ", "process_ended"),
        ("process 0 terminated with signal SIGKILL", "process_killed"),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible",
            "shared_memory_full",
        ),
        (
            "unable to allocate shared memory(shm) for file </torch_1>: No space",
            "shared_memory_full",
        ),
    ],
)
def test_a_process_that_the_system_ended_is_reported_with_the_remedy(words, code):
    fault = machine_fault(RuntimeError(words))
    assert fault.code == f"machine.{code}"
    assert "`workers`" in str(fault)
    assert fault.values.get("reason", words) in words


def test_other_errors_pass_unchanged():
    ours = ValueError("it exited unexpectedly")
    for error in (ours, RuntimeError("size mismatch"), FileNotFoundError(2, "No such", "/absent")):
        with pytest.raises(type(error)) as caught, machine_faults(Path("/tmp/file")):
            raise error
        assert caught.value is error
    hidden = ValueError("raised instead")
    hidden.__context__, hidden.__suppress_context__ = OSError(errno.ENOSPC, "full"), True
    assert machine_fault(hidden, Path("/tmp/file")) is None


LOAD = """
import torch
from torch.utils.data import DataLoader
from soco.machine import machine_faults
from soco.torch_compat import report_worker_errors
report_worker_errors()
images = [torch.zeros(3, 1000, 1500) for _ in range(9)]
with machine_faults():
    for _ in DataLoader(images, batch_size=1, collate_fn=lambda batch: batch[0], num_workers=2):
        pass
"""


def test_a_full_shared_memory_ends_the_loader_instead_of_blocking_it(repository):
    mount = "mount -t tmpfs -o size=4m tmpfs /dev/shm"
    small = ["unshare", "--mount", "bash", "-c", f'{mount} || exit 77; exec "$@"', "bash"]
    done = subprocess.run(
        [*small, sys.executable, "-c", LOAD],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=repository,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"mounting a separate /dev/shm is not allowed here: {done.stderr.strip()}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("soco.errors.UserError: The shared memory /dev/shm has no room")
