"""Run the workflow with Snakemake: for one test, or in the background for several."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]

CONVERTED = "results/convert/soco/detectron2_c4.pkl"
BESIDE = {"finished": "all", "finished_on_own": CONVERTED}
"""Fixtures whose runs are made in the background, and the target of each."""


def rules_in(printed):
    """The rules whose jobs Snakemake printed."""
    return set(re.findall(r"^\s*(?:local)?(?:rule|checkpoint) (\w+):", printed, re.MULTILINE))


class Snakemake:
    """Snakemake's command line; each call is a fork that has it loaded (snakemake_forks.py)."""

    def __init__(self):
        command = [sys.executable, "-P", Path(__file__).with_name("snakemake_forks.py")]
        self.server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, arguments, folder):
        """Run to the end in a folder; returns the exit code and the output."""
        with tempfile.NamedTemporaryFile("r") as printed:
            asked = {
                "arguments": list(map(str, arguments)),
                "folder": str(folder),
                "printed": printed.name,
            }
            print(json.dumps(asked), file=self.server.stdin, flush=True)
            return int(self.server.stdout.readline()), printed.read()

    def close(self):
        """End it."""
        self.server.communicate()


class Workflow:
    """The workflow in a folder of its own, at the scale of recipes/test.yaml."""

    def __init__(self, folder, snakemake=None):
        self.folder, self.snakemake = folder, snakemake
        shutil.copy(REPOSITORY / "config.yaml", folder)
        self.overlay = yaml.safe_load((REPOSITORY / "recipes" / "test.yaml").read_text())

    def __call__(self, *targets, succeeds=True, options=()):
        """Run targets; returns the output, and keeps the names of the rules that ran in `ran`."""
        code, printed = self.snakemake(self._arguments(targets, options), self.folder)
        assert (code == 0) == succeeds, printed
        self.ran = rules_in(printed)
        return printed

    def start(self, *targets, options=()):
        """Start Snakemake as a user does, in its own process group."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *self._arguments(targets, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            start_new_session=True,
        )

    def would_run(self, *targets):
        """The rules that a dry run lists."""
        return rules_in(self(*targets, options=("--dry-run",)))

    def path(self, *parts):
        return self.folder.joinpath("results", *parts)

    def _arguments(self, targets, options):
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(self.overlay))
        places = ("--snakefile", REPOSITORY / "Snakefile", "--directory", self.folder)
        return [
            *targets,
            *places,
            "--configfile",
            self.folder / "overlay.yaml",
            "--cores",
            "2",
            *options,
        ]


class Beside:
    """Runs workflows in the background, one after the other."""

    def __init__(self):
        self.thread, self.running, self.made = ThreadPoolExecutor(1), None, {}

    def make(self, name, workflow):
        self.made[name] = self.thread.submit(self._run, workflow, BESIDE[name])

    def _run(self, workflow, target):
        self.running = workflow.start(target)
        workflow.printed, _ = self.running.communicate()
        assert self.running.returncode == 0, workflow.printed
        workflow.ran = rules_in(workflow.printed)
        return workflow

    def close(self):
        """Stop the run that no test waits for."""
        self.thread.shutdown(wait=False, cancel_futures=True)
        if self.running and self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGKILL)
