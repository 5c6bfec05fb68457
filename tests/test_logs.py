import os
import subprocess
import sys

from small_disks import mounted

SCRIPT = """
import sys, warnings
from soco.errors import UserError
from soco.logs import stage_log
with stage_log(sys.argv[1]):
    print("printed")
    warnings.warn("warned")
    {}
"""


def run(tmp_path, ending):
    log = tmp_path / "deep" / "stage.log"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(ending), str(log)], capture_output=True, text=True
    )
    return done, log.read_text()


def test_all_that_is_printed_goes_to_the_log(tmp_path):
    done, log = run(tmp_path, "import os; os.system('echo from a child')")
    assert done.returncode == 0
    assert done.stdout == done.stderr == ""
    assert {"printed", "from a child"} <= set(log.splitlines())
    assert "warned" in log


def test_a_user_error_is_one_sentence_in_log_and_terminal(tmp_path):
    done, log = run(tmp_path, "raise UserError('Mend this.')")
    assert done.returncode == 1
    assert done.stderr == "Error: Mend this.\n"
    assert "Error: Mend this." in log
    assert "Traceback" not in log


def test_any_other_error_is_shown_with_its_traceback(tmp_path):
    done, log = run(tmp_path, "1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in log
    assert "ZeroDivisionError" in done.stderr
    assert str(tmp_path) in done.stderr


FULL = (
    "The disk is full: {} cannot be written; make room there and run it again: what is finished"
    " stays."
)


def test_a_log_on_a_full_disk_is_one_sentence_on_the_terminal(tmp_path):
    with mounted(tmp_path / "deep", "size=64k") as disk:
        done, _ = run(tmp_path, "print('x' * 100_000)")
        assert done.returncode == 1
        assert done.stderr == f"Error: {FULL.format(disk / 'stage.log')}\n"


def test_a_full_disk_met_by_a_library_is_one_sentence_in_log_and_terminal(tmp_path):
    raised = "raise OSError(28, 'No space left on device', 'results/a.parquet')"
    done, log = run(tmp_path, raised)
    assert done.returncode == 1
    assert done.stderr == f"Error: {FULL.format('results/a.parquet')}\n"
    assert done.stderr in log and "Traceback" not in log


def test_what_a_sentence_was_inferred_from_stands_in_the_log(tmp_path):
    done, log = run(
        tmp_path, "raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Aborted.')"
    )
    assert done.stderr.startswith(
        "Error: A process that loads images or trains ended unexpectedly (DataLoader worker"
    )
    assert "Traceback" not in done.stderr
    assert "RuntimeError: DataLoader worker (pid 7) is killed by signal: Aborted." in log


def test_the_full_folder_is_found_where_the_error_names_none(tmp_path):
    script = SCRIPT.format("open(sys.argv[2] + '/large', 'w').write('x' * 10_000_000)")
    with mounted(tmp_path / "temporary", "size=1m") as disk:
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "stage.log", disk],
            capture_output=True,
            text=True,
            env=os.environ | {"TMPDIR": str(disk)},
        )
    sentence = FULL.format(disk).replace(
        "make room there", "make room there, or set TMPDIR to another folder"
    )
    assert done.stderr == f"Error: {sentence}\n"


def test_a_folder_of_logs_that_may_not_be_written_is_one_sentence(tmp_path):
    with mounted(tmp_path / "deep", "size=64k") as disk:
        (disk / "stage.log").touch()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done, _ = run(tmp_path, "pass")
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"Error: {disk}/stage.log cannot be written: its file system is read-only; mount"
        )
        assert len(done.stderr.splitlines()) == 1


def test_memory_that_does_not_suffice_is_one_sentence(tmp_path):
    """What torch raises where the machine's memory ends, and Python itself."""
    done, _ = run(tmp_path, "import torch; torch.empty(10**6, 10**8)")
    assert done.returncode == 1
    assert (
        done.stderr
        == "Error: The memory does not suffice (400000000000000 bytes more were asked for); lower"
        " what this stage takes at once, such as `workers` or `--cores`, or use a larger"
        " machine, and run it again: what is finished stays.\n"
    )
    done, _ = run(tmp_path, "raise MemoryError")
    assert done.stderr.startswith("Error: The memory does not suffice; lower what this stage takes")
    done, _ = run(tmp_path, "raise RuntimeError('another fault')")
    assert "Traceback" in done.stderr
