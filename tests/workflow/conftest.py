import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml


def rules_in(printed):
    """The rules whose jobs Snakemake printed."""
    return set(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", printed, re.MULTILINE))


class Workflow:
    """The repository's workflow, run by Snakemake in a folder of its own at the scale of recipes/test.yaml."""

    def __init__(self, repository, folder):
        self.folder, self.repository = folder, repository
        shutil.copy(repository / "config.yaml", folder)
        self.overlay = yaml.safe_load((repository / "recipes" / "test.yaml").read_text())

    def __call__(self, *targets, succeeds=True, options=()):
        """Run targets; returns all that Snakemake printed, and keeps the names of the rules that ran in `ran`."""
        running = self.start(*targets, options=options)
        printed, _ = running.communicate()
        assert (running.returncode == 0) == succeeds, printed
        self.ran = rules_in(printed)
        return printed

    def start(self, *targets, options=()):
        """Start Snakemake in a process group of its own."""
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(self.overlay))
        command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", self.repository / "Snakefile"]
        command += ["--directory", self.folder, "--configfile", self.folder / "overlay.yaml", "--cores", "2", *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )

    def would_run(self, *targets):
        """The rules that a dry run finds work for."""
        return rules_in(self(*targets, options=("--dry-run",)))

    def path(self, *parts):
        return self.folder.joinpath("results", *parts)


@pytest.fixture(scope="session")
def finished(repository, tmp_path_factory):
    """A run of `snakemake all` to its end, with what it printed."""
    workflow = Workflow(repository, tmp_path_factory.mktemp("workflow"))
    workflow.printed = workflow("all")
    return workflow


@pytest.fixture(scope="session")
def run_workflow(repository):
    """The workflow in a folder of the caller's."""
    return lambda folder: Workflow(repository, folder)


@pytest.fixture
def workflow(repository, tmp_path):
    return Workflow(repository, tmp_path)
