"""What goes wrong on a cluster, and how the run goes on: each test breaks a real run."""

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
        assert time.monotonic() < until, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)


def processes_of(clone, script):
    """The processes that run a rule's script in a clone: its Python, and what it started."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = process.info["cmdline"] or ()
        if process.info["cwd"] == str(clone.folder) and any(
            f".{script}.py" in word for word in line
        ):
            found += [process, *process.children(recursive=True)]
    return found


def all_get(processes, number):
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


def test_the_loss_of_a_node_costs_what_came_after_the_last_checkpoint(
    cluster, searched, local, training
):
    searched.pretraining |= {"processes": 2, "nodes": 2}
    running = training("--retries", "0", "--set-resources", "pretrain_model:gpu=0")
    all_get(
        processes_of(searched, "pretrain_model"), signal.SIGSTOP
    )  # so that it does not end meanwhile
    cluster.kill_node("n2")
    wait_until(
        lambda: "n2 down" in cluster("sinfo", "-h", "-N", "-o", "%N %T").replace("*", ""),
        "the loss to be seen",
    )
    cluster.start_node("n2")
    searched.ends_well(running)
    assert re.findall("goes on from results/checkpoints/pretrain/soco/step-", log_of(searched))
    assert searched.losses() == pytest.approx(local.losses(), abs=1e-3)


def test_a_pretraining_longer_than_its_time_limit_goes_on_in_the_next_job(
    cluster, searched, local, training
):
    # One attempt: neither its end nor its next start is a failure to Snakemake.
    running = training("--retries", "0", "--set-resources", "pretrain_model:runtime=2")
    stopped = processes_of(searched, "pretrain_model")
    all_get(stopped, signal.SIGSTOP)
    number, start = cluster("squeue", "-h", "-t", "R", "-o", "%A %S").split()
    wait_until(
        lambda: time.time() > float(start) + 108.5, "the tenth of its time that is kept for leaving"
    )
    all_get(stopped, signal.SIGCONT)
    searched.ends_well(running)
    assert re.search(r"Restarts=[1-9]", cluster("scontrol", "show", "job", number))
    assert "goes on from results/checkpoints/pretrain/soco/step-" in log_of(searched)
    assert searched.weights() == local.weights()


def test_a_job_past_its_time_is_given_more(clone, searched, local, slurm):
    searched.path("proposals/store.arrow").unlink()
    more = "merge_proposals:runtime=1 if attempt == 1 else 10"
    running = searched.start("proposals", *slurm, "--set-resources", more)
    wait_until(lambda: processes_of(searched, "merge_proposals"), "the job")
    all_get(processes_of(searched, "merge_proposals"), signal.SIGSTOP)
    searched.ends_well(running)
    assert "SLURM status is: 'TIMEOUT'" in searched.printed.read_text()
    assert restarts(searched) == 1
    assert searched.files("proposals") == local.files("proposals")


def test_a_job_over_its_memory_is_given_more(searched, local, slurm):
    searched.path("proposals/store.arrow").unlink()
    more = "merge_proposals:mem_mb=90 if attempt == 1 else 8000"
    searched("proposals", *slurm, "--set-resources", more)
    assert restarts(searched) >= 1
    assert searched.files("proposals") == local.files("proposals")


def test_snakemake_killed_with_9_goes_on_when_it_is_started_again(
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
    assert "goes on from results/checkpoints/pretrain/soco/step-" in log_of(searched)
    assert searched.weights() == local.weights()
