"""Pretrainings that are stopped or killed while Snakemake runs them."""

import os
import re
import signal
import time

import pytest


@pytest.fixture
def saving(copied):
    """The finished workflow, whose pretraining saves after each step when it is run again."""
    copied.overlay["pretrain"]["soco"]["checkpoint_minutes"] = 1e-6
    return copied


def wait_for_a_checkpoint(folder):
    deadline = time.monotonic() + 120
    while not list(folder.glob("step-*.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_stopped_pretraining_is_restarted_by_snakemake(saving, weights, differing):
    trained = weights(saving)
    running = saving.start("pretrain", options=("--forcerun", "pretrain_model", "--retries", "1"))
    checkpoints = saving.path("checkpoints", "pretrain", "soco")
    wait_for_a_checkpoint(checkpoints)
    os.kill(
        int(re.match(r"process (\d+) on", (checkpoints / "lock").read_text())[1]), signal.SIGTERM
    )
    printed, _ = running.communicate()
    assert running.returncode == 0, printed
    assert "Trying to restart job" in printed
    log = saving.path("logs", "pretrain_model", "soco.log").read_text()
    assert "resuming from results/checkpoints/pretrain/soco/step-" in log
    assert not differing(weights(saving), trained)


def test_a_killed_pretraining_resumes_and_ends_with_the_same_bits(saving, weights, differing):
    trained = weights(saving)
    running = saving.start("pretrain", options=("--forcerun", "pretrain_model"))
    checkpoints = saving.path("checkpoints", "pretrain", "soco")
    wait_for_a_checkpoint(checkpoints)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list(checkpoints.glob("step-*.pt"))
    assert not saving.path("pretrain", "soco", "metrics.json").exists()
    saving(options=("--unlock",))
    saving("pretrain", options=("--rerun-incomplete",))
    assert "resuming from" in saving.path("logs", "pretrain_model", "soco.log").read_text()
    assert not differing(weights(saving), trained)
    assert not checkpoints.exists()
