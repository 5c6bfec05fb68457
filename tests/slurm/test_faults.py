"""Failures on a cluster: each test breaks a real run, which must end with the same results."""

import os
import re
import signal
import time

import psutil
import pytest

pytestmark = pytest.mark.slurm


def wait_until(condition, what, seconds=240):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def processes_of(clone, script):
    """The processes of a rule's script in a clone: its Python and all children."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = process.info["cmdline"] or ()
        if process.info["cwd"] == str(clone.folder) and any(
            f".{script}.py" in word for word in line
        ):
            found += [process, *process.children(recursive=True)]
    return found


def signal_all(processes, number):
    for process in processes:
        process.send_signal(number)


def log_of(clone):
    return clone.path("logs/pretrain_model/soco.log").read_text()


def restarts(clone):
    return len(re.findall("Trying to restart job", clone.printed.read_text()))


@pytest.fixture
def training(searched, slurm, request):
    """Start a pretraining through Slurm and wait for its second checkpoint."""
    started = []

    def start(*options):
        running = searched.start("pretrain", *slurm, *options)
        started.append(running)
        checkpoints = searched.path("checkpoints/pretrain/soco")
        wait_until(
            lambda: running.poll() is not None or any(checkpoints.glob("step-*[2-9].pt")),
            "the second checkpoint",
        )
        assert running.poll() is None, searched.printed.read_text()[-8000:]
        return running

    yield start
    for running in started:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


def test_after_the_loss_of_a_node_a_pretraining_resumes_from_its_checkpoint(
    cluster, searched, local, training
):
    searched.pretraining |= {"processes": 2, "nodes": 2}
    running = training("--retries", "0", "--set-resources", "pretrain_model:gpu=0")
    # Paused, so that it does not finish meanwhile.
    signal_all(processes_of(searched, "pretrain_model"), signal.SIGSTOP)
    cluster.kill_node("n2")
    wait_until(
        lambda: "n2 down" in cluster("sinfo", "-h", "-N", "-o", "%N %T").replace("*", ""),
        "Slurm to notice the loss",
    )
    cluster.start_node("n2")
    searched.ends_well(running)
    assert re.findall("resuming from results/checkpoints/pretrain/soco/step-", log_of(searched))
    assert searched.losses() == pytest.approx(local.losses(), abs=1e-3)


def test_a_pretraining_longer_than_its_time_limit_is_requeued_and_resumes(
    cluster, searched, local, training
):
    # One attempt: to Snakemake, the requeue is not a failure.
    running = training("--retries", "0", "--set-resources", "pretrain_model:runtime=2")
    stopped = processes_of(searched, "pretrain_model")
    signal_all(stopped, signal.SIGSTOP)
    number, start = cluster("squeue", "-h", "-t", "R", "-o", "%A %S").split()
    wait_until(lambda: time.time() > float(start) + 108.5, "the last tenth of its time limit")
    signal_all(stopped, signal.SIGCONT)
    searched.ends_well(running)
    assert re.search(r"Restarts=[1-9]", cluster("scontrol", "show", "job", number))
    assert "resuming from results/checkpoints/pretrain/soco/step-" in log_of(searched)
    assert searched.weights() == local.weights()


def test_a_job_that_exceeds_its_time_limit_gets_more_time(clone, searched, local, slurm):
    searched.path("proposals/store.arrow").unlink()
    more = "merge_proposals:runtime=1 if attempt == 1 else 10"
    running = searched.start("proposals", *slurm, "--set-resources", more)
    wait_until(lambda: processes_of(searched, "merge_proposals"), "the job")
    signal_all(processes_of(searched, "merge_proposals"), signal.SIGSTOP)
    searched.ends_well(running)
    assert "SLURM status is: 'TIMEOUT'" in searched.printed.read_text()
    assert restarts(searched) == 1
    assert searched.files("proposals") == local.files("proposals")


def test_a_job_that_exceeds_its_memory_gets_more_memory(searched, local, slurm):
    searched.path("proposals/store.arrow").unlink()
    more = "merge_proposals:mem_mb=90 if attempt == 1 else 8000"
    searched("proposals", *slurm, "--set-resources", more)
    assert restarts(searched) >= 1
    assert searched.files("proposals") == local.files("proposals")


def test_snakemake_killed_with_9_resumes_when_it_is_started_again(
    cluster, searched, local, slurm, training
):
    running = training()
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    for job in cluster("squeue", "-h", "-o", "%A %j").splitlines():
        number, name = job.split()
        assert name.startswith("soco_")
        cluster("scancel", number)
    searched("--unlock")
    searched("pretrain", *slurm)
    assert "resuming from results/checkpoints/pretrain/soco/step-" in log_of(searched)
    assert searched.weights() == local.weights()
