"""Fine-tune and evaluate uninterrupted, then killed at each of their writes: run by test_kills.

Every run is a child forked from this process, which has loaded everything and starts no thread.
Prints, as JSON, all writes and those at which a run was killed; fails if the run after a kill does
not end with the same files.

Arguments: a pickle of the fine-tuning job, a folder to work in, and N: a kill at every Nth of the
    last 13 writes, counted from the end; 1: at every write.
"""

import json
import os
import pickle
import shutil
import signal
import sys
from pathlib import Path

import torch

from soco.transfer.detect import EvaluateJob, evaluate, finetune

OUTPUTS = (
    "weights.pth",
    "loading.json",
    "ap.jsonl",
    "training.json",
    "metrics.json",
    "detections.json",
)


LAST = 13


def work(given, folder):
    """The two stages; each runs again from its beginning, as Snakemake does."""
    job = given.model_copy(update={"folder": folder, "checkpoints": folder / "checkpoints"})
    if not (folder / "finetuned").exists():
        finetune(job)
        (folder / "finetuned").touch()
    keys = ("task", "settings", "detector", "dataset", "folder", "seed")
    shared = {key: getattr(job, key) for key in keys}
    evaluate(EvaluateJob(initialisation="scratch", trained=folder, **shared))


class Writes:
    """Counts the writes: a file is half written, gets its name or loses it. May die at one."""

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
            # Only our own files: detectron2 saves, too.
            saves = name == "save" and str(getattr(rest[0], "name", "")).endswith(".part")
            if saves and self.is_the_one(f"{name} {Path(rest[0].name).name}"):
                original(first, *rest, **named)
                rest[0].truncate(rest[0].tell() // 2)
                os.kill(os.getpid(), self.moment)
            ours = name in ("replace", "rename") or (
                name == "rmtree" and Path(first, "lock").exists()
            )
            if ours and self.is_the_one(f"{name} {Path(first).name}"):
                if name == "rmtree":  # dies after some files are gone
                    for path in sorted(Path(first).iterdir())[:2]:
                        path.unlink()
                os.kill(os.getpid(), self.moment)
            return original(first, *rest, **named)

        return call

    def is_the_one(self, what):
        self.seen.append(what)
        return len(self.seen) == self.number


def in_child(given, folder, moment=signal.SIGKILL, number=0):
    """Work in a child; returns its exit code and its writes."""
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
    with os.fdopen(reader) as pipe:
        seen = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), json.loads(seen or "[]")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def main():
    given = pickle.loads(Path(sys.argv[1]).read_bytes())
    folder, every = Path(sys.argv[2]), int(sys.argv[3])
    code, writes = in_child(given, folder / "whole")
    assert code == 0, (folder / "whole" / "log").read_text()
    whole, died_at = contents(folder / "whole"), []
    first = 1 if every == 1 else len(writes) - LAST + 1
    for number in range(len(writes), first - 1, -every):
        moment = signal.SIGTERM if number % 4 == 0 else signal.SIGKILL
        killed, write = folder / str(number), writes[number - 1]
        code, _ = in_child(given, killed, moment, number)
        assert code == -moment, (number, write, code, (killed / "log").read_text()[-3000:])
        code, _ = in_child(given, killed)
        assert code == 0, (write, (killed / "log").read_text()[-3000:])
        differing = [name for name, content in contents(killed).items() if content != whole[name]]
        assert not differing, (write, differing)
        left = [
            path.name
            for path in killed.iterdir()
            if path.name.endswith(".part") or "checkpoints" in path.name
        ]
        assert not left, (write, left)
        died_at.append(write)
    print(json.dumps([writes, died_at]))


main()
