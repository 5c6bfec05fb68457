"""Fine-tune and evaluate undisturbed, then killed at each of their writes: run by test_kills.

Every run is a child that is forked from this process, which has everything loaded and starts no
thread. Prints, as JSON, for each kill what was being written; fails where the run after a kill does
not end with the same files.

Arguments: a pickle of what to fine-tune, a folder to work in, and of how many last writes to die
    at, 0 for all.
"""

import json
import os
import pickle
import shutil
import signal
import sys
from pathlib import Path

import torch

from soco.transfer.detect import evaluate, finetune

OUTPUTS = (
    "weights.pth",
    "loading.json",
    "ap.jsonl",
    "training.json",
    "metrics.json",
    "detections.json",
)


def places(folder):
    return {
        "output": folder / "weights.pth",
        "loading_report": folder / "loading.json",
        "history": folder / "history.jsonl",
        "curve": folder / "ap.jsonl",
        "training": folder / "training.json",
        "checkpoint_dir": folder / "checkpoints",
    }


def work(given, folder):
    """What the two jobs do; each is run again from its beginning, as Snakemake does."""
    if not (folder / "finetuned").exists():
        finetune(*given, None, **places(folder), seed=1)
        (folder / "finetuned").touch()
    task, settings, detector, dataset = given
    results = (
        folder / name
        for name in ("weights.pth", "training.json", "metrics.json", "detections.json")
    )
    evaluate(task, "scratch", settings, detector, dataset, *results, seed=1)


class Writes:
    """Counts the moments at which a file takes or loses its name, or is half written, and may die at one."""

    def __init__(self, moment, number):
        self.moment, self.number, self.seen = moment, number, []

    def watch(self):
        for owner, name in (
            (Path, "replace"),
            (Path, "rename"),
            (shutil, "rmtree"),
            (torch, "save"),
        ):
            setattr(owner, name, self.watched(getattr(owner, name), name))

    def watched(self, original, name):
        def call(first, *rest, **named):
            saves = name == "save" and str(getattr(rest[0], "name", "")).endswith(
                ".part"
            )  # detectron2 saves, too
            if saves and self.is_the_one(f"{name} {Path(rest[0].name).name}"):
                original(first, *rest, **named)
                rest[0].truncate(rest[0].tell() // 2)
                os.kill(os.getpid(), self.moment)
            ours = name in ("replace", "rename") or (
                name == "rmtree" and Path(first, "lock").exists()
            )
            if ours and self.is_the_one(f"{name} {Path(first).name}"):
                if name == "rmtree":  # some files are gone
                    for path in sorted(Path(first).iterdir())[:2]:
                        path.unlink()
                os.kill(os.getpid(), self.moment)
            return original(first, *rest, **named)

        return call

    def is_the_one(self, what):
        self.seen.append(what)
        return len(self.seen) == self.number


def in_child(given, folder, moment=signal.SIGKILL, number=0):
    """Work in a child; returns how it ended and what it wrote or died at."""
    folder.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        writes = Writes(moment, number)
        writes.watch()
        work(given, folder)
        os.write(writer, json.dumps(writes.seen).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        seen = told.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), json.loads(seen or "[]")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def main():
    given, folder, last = (
        pickle.loads(Path(sys.argv[1]).read_bytes()),
        Path(sys.argv[2]),
        int(sys.argv[3]),
    )
    code, writes = in_child(given, folder / "whole")
    assert code == 0, (folder / "whole" / "log").read_text()
    whole, told = contents(folder / "whole"), []
    for number in range(1, len(writes) + 1)[-last:]:
        moment = signal.SIGTERM if number % 4 == 0 else signal.SIGKILL
        killed = folder / str(number)
        code, _ = in_child(given, killed, moment, number)
        assert code == -moment, (
            number,
            writes[number - 1],
            code,
            (killed / "log").read_text()[-3000:],
        )
        code, _ = in_child(given, killed)
        assert code == 0, (writes[number - 1], (killed / "log").read_text()[-3000:])
        differing = [name for name, content in contents(killed).items() if content != whole[name]]
        assert not differing, (writes[number - 1], differing)
        left = [
            path.name
            for path in killed.iterdir()
            if path.name.endswith(".part") or "checkpoints" in path.name
        ]
        assert not left, (writes[number - 1], left)
        told.append(writes[number - 1])
    print(json.dumps(told))


main()
