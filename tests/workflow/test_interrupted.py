"""Pretrainings that are stopped or killed while Snakemake runs them."""

import os
import re
import signal
import time


def wait_for_a_checkpoint(folder):
    deadline = time.monotonic() + 120
    while not list(folder.glob("step-*.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_stopped_pretraining_is_restarted_by_snakemake(copied, weights, differing):
    trained = weights(copied)
    running = copied.start("pretrain", options=("--forcerun", "pretrain_model", "--retries", "1"))
    checkpoints = copied.path("checkpoints", "pretrain", "soco")
    wait_for_a_checkpoint(checkpoints)
    os.kill(
        int(re.match(r"process (\d+) on", (checkpoints / "lock").read_text())[1]), signal.SIGTERM
    )
    printed, _ = running.communicate()
    assert running.returncode == 0, printed
    assert "Trying to restart job" in printed
    log = copied.path("logs", "pretrain_model", "soco.log").read_text()
    assert "resuming from results/checkpoints/pretrain/soco/step-" in log
    assert not differing(weights(copied), trained)


def test_a_killed_pretraining_resumes_and_ends_with_the_same_bits(copied, weights, differing):
    trained = weights(copied)
    running = copied.start("pretrain", options=("--forcerun", "pretrain_model"))
    checkpoints = copied.path("checkpoints", "pretrain", "soco")
    wait_for_a_checkpoint(checkpoints)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list(checkpoints.glob("step-*.pt"))
    assert not copied.path("pretrain", "soco", "metrics.json").exists()
    copied(options=("--unlock",))
    copied("pretrain", options=("--rerun-incomplete",))
    assert "resuming from" in copied.path("logs", "pretrain_model", "soco.log").read_text()
    assert not differing(weights(copied), trained)
    assert not checkpoints.exists()
