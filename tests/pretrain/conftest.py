import os
import signal
import subprocess
import sys

import pytest
import safetensors.torch

from soco.config import DetectorConfig, ImagesConfig
from soco.pretrain import PretrainJob, pretrain

SMALL = DetectorConfig(
    backbone="resnet18", fpn_channels=8, head_channels=8, head_convs=2, head_fc=16
)


@pytest.fixture
def job_of(small_store, folder_of_images, tmp_path):
    """A pretraining of the five small images, its files in a folder of a name."""

    def make(name, recipe, seed=1):
        folder = tmp_path / name
        return PretrainJob(
            run=name,
            settings=recipe,
            detector=SMALL,
            store=small_store[0],
            images=ImagesConfig(path=str(folder_of_images)),
            folder=folder / "checkpoints",
            weights=folder / "weights.safetensors",
            log=folder / "log.jsonl",
            metrics=folder / "metrics.json",
            tensorboard=folder / "tensorboard",
            seed=seed,
        )

    return make


@pytest.fixture
def run(job_of):
    """Run a pretraining into a folder of a name; returns that folder."""

    def start(name, recipe, seed=1):
        job = job_of(name, recipe, seed)
        pretrain(job)
        return job.weights.parent

    return start


@pytest.fixture
def weights():
    """Read the weights that a run left in a folder."""
    return lambda folder: safetensors.torch.load_file(folder / "weights.safetensors")


@pytest.fixture
def started(tmp_path):
    """Start a job as a program of its own, in a process group of its own.

    What still runs in the end is killed.
    """
    running = []

    def start(job):
        path = tmp_path / f"{job.run}.json"
        path.write_text(job.model_dump_json())
        with (tmp_path / f"{job.run}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "soco.pretrain", str(path)],
                stderr=log,
                start_new_session=True,
            )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
