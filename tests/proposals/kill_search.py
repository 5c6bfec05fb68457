"""Search a shard whole, then kill the same search at many moments: run by test_stages.

Every search runs in a forked child, and this process starts no thread, since threads do not live
through a fork.

Prints, for each moment, the outputs that were there after the kill and how many unfinished parts;
fails where an output was not whole, or where the search that ran after a kill gave other bytes.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from soco.config import ImagesConfig, ProposalsConfig
from soco.data import open_source
from soco.proposals.search_stage import search_shard

NAMES = ("raw.parquet", "skipped.parquet")


def search(folder):
    source = ImagesConfig(path=sys.argv[2])
    outputs = (folder / name for name in NAMES)
    search_shard(sys.argv[1], open_source(source), ProposalsConfig(), source, 2, *outputs)


def killed_at_rename(folder, number):
    """Search, and die before the rename of so many."""
    rename, seen = Path.replace, []

    def replace(self, target):
        seen.append(target)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    Path.replace = replace
    search(folder)


def in_child(task, *arguments, seconds=None):
    """Run a task in a child, killed after so many seconds where they are given.

    Returns whether it came to its end.
    """
    child = os.fork()
    if child == 0:
        task(*arguments)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def main():
    undisturbed, killed = Path(sys.argv[3]), Path(sys.argv[4])
    assert in_child(search, undisturbed)  # once for what is compiled and read on the way
    start = time.monotonic()
    assert in_child(search, undisturbed)
    took = time.monotonic() - start
    whole = {name: (undisturbed / name).read_bytes() for name in NAMES}
    kills = {
        f"{share:.0%}": lambda share=share: in_child(search, killed, seconds=share * took)
        for share in (0.1, 0.8, 1.0)
    }
    kills |= {f"rename {n}": lambda n=n: in_child(killed_at_rename, killed, n) for n in (1, 2)}
    told = {}
    for moment, kill in kills.items():
        kill()
        there = sorted(path.name for path in killed.iterdir()) if killed.exists() else []
        for name in set(there) & set(NAMES):
            assert (killed / name).read_bytes() == whole[name], (moment, name)
        told[moment] = [
            [name for name in there if name in NAMES],
            sum(name.endswith(".part") for name in there),
        ]
        assert in_child(search, killed), moment
        assert {path.name: path.read_bytes() for path in killed.iterdir()} == whole, moment
        for name in NAMES:
            (killed / name).unlink()
    print(json.dumps(told))


main()
