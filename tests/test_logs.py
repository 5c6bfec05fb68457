import subprocess
import sys

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
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(ending), str(log)], capture_output=True, text=True)
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


def test_memory_that_does_not_suffice_is_one_sentence(tmp_path):
    """What torch raises where the machine's memory ends, and Python itself."""
    done, _ = run(tmp_path, "import torch; torch.empty(10**6, 10**8)")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The memory does not suffice (400000000000000 bytes more were asked for); lower the sizes or counts "
        "that this stage takes from the configuration, such as batch_size or the detector's channels, or run it where "
        "there is more.\n"
    )
    done, _ = run(tmp_path, "raise MemoryError")
    assert done.stderr.startswith("Error: The memory does not suffice; lower the sizes")
    done, _ = run(tmp_path, "raise RuntimeError('another fault')")
    assert "Traceback" in done.stderr
