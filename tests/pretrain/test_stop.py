import os
import signal
import time

import pytest
from user_errors import refused

from soco.data.stores.lock import exclusive_lock
from soco.pretrain import pretrain
from soco.pretrain.stop import StopSignals, leave


def wait_for_steps(job, process, count):
    """Wait until the log of a run has this many steps."""
    log = job.folder / "log.jsonl"
    until = time.monotonic() + 120
    while not log.exists() or len(log.read_text().splitlines()) < count:
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_sigterm_to_all_processes_saves_and_exits_with_75(
    job_of, started, run, weights, tiny_recipe, processes
):
    recipe = tiny_recipe.model_copy(update={"workers": 2, "epochs": 6, "processes": processes})
    job = job_of("stopped", recipe)
    process = started(job)
    wait_for_steps(job, process, 3)
    os.killpg(process.pid, signal.SIGTERM)  # as Slurm does: the workers get it, too
    assert process.wait(timeout=60) == 75
    saved = [path.name for path in job.folder.glob("step-*.pt")]
    steps = len((job.folder / "log.jsonl").read_text().splitlines())
    assert 3 <= steps < 12
    assert f"step-{steps:08d}.pt" in saved
    pretrain(job)
    whole = weights(run("whole", recipe))
    assert all(tensor.equal(whole[name]) for name, tensor in weights(job.weights.parent).items())


def test_a_second_ctrl_c_acts_at_once_and_a_second_sigterm_does_not():
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked is signal.SIGTERM
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked is signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(SystemExit, match="75"):
        leave(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        leave(signal.SIGINT)


def test_a_second_run_does_not_write_into_the_folder_of_a_first(tmp_path):
    locked = refused("data.folder_in_use", folder=tmp_path)
    with (
        exclusive_lock(tmp_path, patience=0),
        locked as caught,
        exclusive_lock(tmp_path, patience=0.1),
    ):
        pass
    assert caught.value.values["owner"].startswith(f"process {os.getpid()} on ")
    with exclusive_lock(tmp_path, patience=0):
        pass


def test_a_killed_process_releases_the_lock(job_of, started, tiny_recipe):
    job = job_of("killed", tiny_recipe.model_copy(update={"epochs": 400, "workers": 1}))
    process = started(job)
    wait_for_steps(job, process, 1)
    process.kill()
    process.wait()
    # Its worker keeps the lock until it notices that its parent is gone.
    with exclusive_lock(job.folder, patience=30):
        assert f"process {os.getpid()} " in (job.folder / "lock").read_text()
