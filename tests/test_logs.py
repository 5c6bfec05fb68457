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


def test_all_output_goes_to_the_log(tmp_path):
    done, log = run(tmp_path, "import os; os.system('echo from a child')")
    assert done.returncode == 0
    assert done.stdout == done.stderr == ""
    assert {"printed", "from a child"} <= set(log.splitlines())
    assert "warned" in log


def test_a_user_error_is_one_sentence_in_log_and_terminal(tmp_path):
    done, log = run(tmp_path, "raise UserError('test.code', 'Repair {what}.', what='this')")
    assert done.returncode == 1
    assert done.stderr == "Error: Repair this.\n"
    assert "Error: Repair this." in log
    assert "Traceback" not in log


def test_any_other_error_has_its_traceback_in_log_and_terminal(tmp_path):
    done, log = run(tmp_path, "1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in log
    assert "ZeroDivisionError" in done.stderr
    assert str(tmp_path) in done.stderr


FULL = (
    "The disk is full: {} cannot be written; make room there and run it again: finished work is"
    " kept."
)


def test_a_log_on_a_full_disk_is_one_sentence_on_the_terminal(tmp_path):
    with mounted(tmp_path / "deep", "size=64k") as disk:
        done, _ = run(tmp_path, "print('x' * 100_000)")
        assert done.returncode == 1
        assert done.stderr == f"Error: {FULL.format(disk / 'stage.log')}\n"


def test_an_error_of_a_library_on_a_full_disk_is_one_sentence_in_log_and_terminal(tmp_path):
    raised = "raise OSError(28, 'No space left on device', 'results/a.parquet')"
    done, log = run(tmp_path, raised)
    assert done.returncode == 1
    assert done.stderr == f"Error: {FULL.format('results/a.parquet')}\n"
    assert done.stderr in log and "Traceback" not in log


def test_the_error_behind_an_inference_is_in_the_log(tmp_path):
    done, log = run(
        tmp_path, "raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Aborted.')"
    )
    assert done.stderr.startswith(
        "Error: A process that loads images or trains ended unexpectedly (DataLoader worker"
    )
    assert "Traceback" not in done.stderr
    assert "RuntimeError: DataLoader worker (pid 7) is killed by signal: Aborted." in log


def test_the_full_folder_is_found_if_the_error_names_none(tmp_path):
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


def test_a_read_only_folder_of_logs_is_one_sentence(tmp_path):
    with mounted(tmp_path / "deep", "size=64k") as disk:
        (disk / "stage.log").touch()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done, _ = run(tmp_path, "pass")
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"Error: {disk}/stage.log cannot be written: its file system is read-only; mount"
        )
        assert len(done.stderr.splitlines()) == 1


def test_out_of_memory_is_one_sentence(tmp_path):
    """As torch raises it, and as Python does."""
    done, _ = run(tmp_path, "import torch; torch.empty(10**6, 10**8)")
    assert done.returncode == 1
    assert (
        done.stderr
        == "Error: The machine is out of memory (400000000000000 bytes more were requested); lower"
        " what this stage runs at once, such as `workers` or `--cores`, or use a larger"
        " machine, and run it again: finished work is kept.\n"
    )
    done, _ = run(tmp_path, "raise MemoryError")
    assert done.stderr.startswith("Error: The machine is out of memory; lower")
    done, _ = run(tmp_path, "raise RuntimeError('another fault')")
    assert "Traceback" in done.stderr
