import errno
import subprocess
import sys
from pathlib import Path

import pytest

from soco.errors import UserError
from soco.machine import machine_fault, machine_faults

AGAIN = " and run it again: what is finished stays."


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "The disk is full: /results/a cannot be written; make room there"),
        (errno.EDQUOT, "Your quota is used up: /results/a cannot be written; make room there"),
        (
            errno.EROFS,
            (
                "/results/a cannot be written: its file system is read-only; mount it for writing,"
                " or set"
            ),
        ),
        (
            errno.EACCES,
            "This user may not use /results/a; change its rights (`chmod`, `chown`), or name",
        ),
        (
            errno.EPERM,
            "This user may not use /results/a; change its rights (`chmod`, `chown`), or name",
        ),
        (
            errno.EIO,
            (
                "The disk of /results/a reports an input/output error; look into `dmesg`, replace"
                " the disk"
            ),
        ),
        (errno.ESTALE, "The network folder of /results/a is gone; remount it"),
        (
            errno.EMFILE,
            "Too many files are open to open /results/a; raise `ulimit -n`, or lower `workers`",
        ),
        (
            errno.EFBIG,
            (
                "/results/a would be larger than its file system or `ulimit -f` allows; raise the"
                " limit, or"
            ),
        ),
        (
            errno.ENOTDIR,
            "/results/a cannot be used: a file lies where a folder should be; remove that file",
        ),
    ],
)
def test_what_the_system_refuses_is_one_sentence_with_file_and_remedy(number, sentence):
    said = str(machine_fault(OSError(number, "system's words", "/results/a"), Path("/results/b")))
    assert said.startswith(sentence)
    assert said.endswith(AGAIN)
    assert said.count(". ") == 0
    of_no_file = machine_fault(OSError(number, "system's words"), Path("/results/a"))
    # Room may have been made meanwhile; a right or a broken disk is not blamed on a place that does
    # not refuse.
    is_passing = number in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.ESTALE,
        errno.EMFILE,
        errno.EFBIG,
    )
    assert (str(of_no_file) == said) if is_passing else of_no_file is None


def test_a_place_that_refuses_is_found_where_the_error_names_none(tmp_path):
    (tmp_path / "file").touch()
    error = OSError(errno.ENOTDIR, "Not a directory")
    said = str(machine_fault(error, tmp_path, tmp_path / "file" / "below"))
    assert said.startswith(
        f"{tmp_path}/file/below cannot be used: a file lies where a folder should be"
    )


def test_a_folder_that_is_there_already_is_not_to_be_removed(tmp_path):
    assert machine_fault(FileExistsError(errno.EEXIST, "File exists", str(tmp_path))) is None
    (tmp_path / "file").touch()
    said = str(machine_fault(FileExistsError(errno.EEXIST, "File exists", str(tmp_path / "file"))))
    assert said.startswith(f"{tmp_path}/file cannot be used: a file lies where a folder should be")


def test_the_error_that_a_library_hides_behind_its_own_is_found():
    with (
        pytest.raises(UserError, match=r"^The disk is full: /results/a cannot"),
        machine_faults(Path("/results/a")),
    ):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("unexpected pos 704 vs 598")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "DataLoader worker (pid 7) is killed by signal: Killed. ",
            "A process that loads images or trains was killed",
        ),
        (
            "DataLoader worker (pid(s) 7, 8) exited unexpectedly",
            "A process that loads images or trains ended unexpectedly",
        ),
        (
            "DataLoader worker (pid 7) is killed by signal: Segmentation fault. ",
            (
                "A process that loads images or trains ended unexpectedly (DataLoader worker (pid"
                " 7) is"
            ),
        ),
        (
            "process 0 terminated with signal SIGKILL",
            "A process that loads images or trains was killed",
        ),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible",
            "The shared memory /dev/shm has no",
        ),
        (
            "unable to allocate shared memory(shm) for file </torch_1>: No space",
            "The shared memory /dev/shm has no room",
        ),
    ],
)
def test_a_process_that_the_system_ended_is_reported_with_the_remedy(words, sentence):
    said = str(machine_fault(RuntimeError(words)))
    assert said.startswith(sentence)
    assert "`workers`" in said


def test_other_errors_pass_as_they_are():
    ours = ValueError("it exited unexpectedly")
    for error in (ours, RuntimeError("size mismatch"), FileNotFoundError(2, "No such", "/absent")):
        with pytest.raises(type(error)) as caught, machine_faults(Path("/tmp/file")):
            raise error
        assert caught.value is error
    assert str(machine_fault(MemoryError())).startswith(
        "The memory does not suffice; lower what this stage takes"
    )
    hidden = ValueError("said anew")
    hidden.__context__, hidden.__suppress_context__ = OSError(errno.ENOSPC, "full"), True
    assert machine_fault(hidden, Path("/tmp/file")) is None


LOAD = """
import torch
from torch.utils.data import DataLoader
from soco.machine import report_worker_errors, machine_faults
report_worker_errors()
images = [torch.zeros(3, 1000, 1500) for _ in range(9)]
with machine_faults():
    for _ in DataLoader(images, batch_size=1, collate_fn=lambda held: held[0], num_workers=2):
        pass
"""


def test_a_full_shared_memory_ends_the_loader_with_a_sentence_and_never_waits(repository):
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
        pytest.skip(f"a shared memory of its own is not allowed here: {done.stderr.strip()}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "soco.errors.UserError: The shared memory /dev/shm has no room for what workers load; set"
    )
