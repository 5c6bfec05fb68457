import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import yaml
from throwaway_cluster import Cluster, why_not

# The tiny workflow with one fine-tuning and a pretraining with frequent checkpoints.
OVERLAY = {
    "images": {"shards": 4},
    "quality": {"recall": []},
    "pretrain": {"soco": {"epochs": 4, "checkpoint_minutes": 0.001}},
    "finetune": {"shapes_coco": {"initialisations": ["soco"]}, "shapes_lvis": None},
}
OF_A_CLONE = (
    "Snakefile",
    "config.yaml",
    "envs",
    "profiles",
    "recipes",
    "rules",
    "slurm",
    "soco",
    "workflow_scripts",
)
# `snakemake --profile slurm all` for a small machine and workflow.
SLURM = ("--profile", "slurm", "--max-threads", "2")
SLURM += (
    "--group-components",
    "shards=2",
    "--slurm-init-seconds-before-status-checks",
    "5",
    "--latency-wait",
    "20",
)


class Clone:
    """A clone of the repository in which Snakemake runs."""

    def __init__(self, repository, folder, environment=None):
        self.folder, self.environment = folder, environment or dict(os.environ)
        folder.mkdir(parents=True, exist_ok=True)
        for name in OF_A_CLONE:
            copy = shutil.copytree if (repository / name).is_dir() else shutil.copy
            copy(repository / name, folder / name)
        self.pretraining = dict(OVERLAY["pretrain"]["soco"])

    def start(self, *options):
        """Start Snakemake; its output goes to the file `printed`."""
        overlay = {**OVERLAY, "pretrain": {"soco": self.pretraining}}
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            *options,
            "--configfile",
            "recipes/test.yaml",
            "overlay.yaml",
        ]
        with self.printed.open("a") as printed:
            return subprocess.Popen(
                command,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**self.environment, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )

    def __call__(self, *options):
        """Run Snakemake to its end; return the seconds that it took."""
        return self.ends_well(self.start(*options))

    def ends_well(self, running):
        """Wait until a Snakemake ends successfully; return the seconds from now."""
        began = time.monotonic()
        code = running.wait(timeout=900)
        assert code == 0, self.printed.read_text()[-8000:]
        return time.monotonic() - began

    @property
    def printed(self):
        return self.folder / "printed"

    def path(self, *parts):
        return self.folder.joinpath("results", *parts)

    def files(self, *folders):
        """The contents of all files below folders of the results, by path."""
        paths = [
            path for folder in folders for path in self.path(folder).rglob("*") if path.is_file()
        ]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def weights(self):
        """The pretrained weights, byte for byte."""
        return self.path("pretrain/soco/weights.safetensors").read_bytes()

    def losses(self):
        lines = self.path("pretrain/soco/log.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines]


@pytest.fixture
def slurm():
    """The options for a run of this size on the cluster."""
    return SLURM


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A cluster of two nodes; without root or Slurm, its tests are skipped."""
    if reason := why_not():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def local(cluster, repository, tmp_path_factory):
    """The same run on this machine without Slurm, for comparison."""
    clone = Clone(repository, tmp_path_factory.mktemp("local"))
    clone.seconds = clone("all", "--cores", "2")
    return clone


@pytest.fixture
def clone(cluster, repository, tmp_path):
    """A fresh clone whose Snakemake uses the cluster."""
    yield Clone(repository, tmp_path / "clone", cluster.environment)
    cluster.wait_for_idle()


@pytest.fixture
def searched(clone, local):
    """A clone with the results up to the store of proposals."""
    for name in ("data", "results", ".snakemake"):
        shutil.copytree(
            local.folder / name,
            clone.folder / name,
            ignore=shutil.ignore_patterns("locks", "incomplete"),
        )
    for name in ("pretrain", "convert", "finetune", "evaluate", "report", "logs", "tensorboard"):
        shutil.rmtree(clone.path(name))
    return clone
