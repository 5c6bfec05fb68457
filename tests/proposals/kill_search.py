"""Search a shard, then kill the same search at several moments; run by test_stages.

Every search runs in a forked child. This process starts no thread, since threads do not survive a
fork.

Prints, for each moment, the outputs and the number of temporary files after the kill. Fails if an
output was incomplete, or if the search after a kill wrote other bytes.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from soco.config import ImagesConfig, ProposalsConfig
from soco.data import open_source
from soco.proposals.search_stage import SearchJob, search_shard

NAMES = ("raw.parquet", "skipped.parquet")


def search(folder):
    images = ImagesConfig(path=sys.argv[2])
    outputs = (folder / name for name in NAMES)
    job = SearchJob(sys.argv[1], open_source(images), ProposalsConfig(), images, 2, *outputs)
    search_shard(job)


def killed_at_rename(folder, number):
    """Search, and be killed just before the rename with this number."""
    rename, seen = Path.replace, []

    def replace(self, target):
        seen.append(target)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    Path.replace = replace
    search(folder)


def in_child(task, *arguments, seconds=None):
    """Run a task in a child, killed after `seconds` if given; returns whether it finished."""
    child = os.fork()
    if child == 0:
        task(*arguments)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def main():
    uninterrupted, killed = Path(sys.argv[3]), Path(sys.argv[4])
    assert in_child(search, uninterrupted)  # a first time, to compile and to fill caches
    start = time.monotonic()
    assert in_child(search, uninterrupted)
    took = time.monotonic() - start
    whole = {name: (uninterrupted / name).read_bytes() for name in NAMES}
    kills = {
        f"{share:.0%}": lambda share=share: in_child(search, killed, seconds=share * took)
        for share in (0.1, 0.8, 1.0)
    }
    kills |= {f"rename {n}": lambda n=n: in_child(killed_at_rename, killed, n) for n in (1, 2)}
    left = {}
    for moment, kill in kills.items():
        kill()
        there = sorted(path.name for path in killed.iterdir()) if killed.exists() else []
        for name in set(there) & set(NAMES):
            assert (killed / name).read_bytes() == whole[name], (moment, name)
        left[moment] = [
            [name for name in there if name in NAMES],
            sum(name.endswith(".part") for name in there),
        ]
        assert in_child(search, killed), moment
        assert {path.name: path.read_bytes() for path in killed.iterdir()} == whole, moment
        for name in NAMES:
            (killed / name).unlink()
    print(json.dumps(left))


main()
