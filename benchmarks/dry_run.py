"""Measure `snakemake --profile slurm -n proposals` with as many shards as ImageNet needs.

Prints seconds, memory and the number of Slurm jobs, with groups of 40 shards as in the profile and
with one job per shard, for all shards and for a tenth of them: on the first run, with half of the
shards searched, and when every file exists. The files are empty, since a dry run reads none of
them. A dry run does everything except submitting jobs.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

REPOSITORY = Path(__file__).parents[1]
OF_SHARDS = {
    "raw": "search_regions",
    "skipped": None,
    "filtered": "filter_regions",
    "fixed": "apply_fallbacks",
}
MERGED = [
    f"proposals/{name}"
    for name in ("store.parquet", "store.arrow", "skipped.parquet", "summary.json")
]
MERGED += ["origins/merge_proposals.json"]


class DryRun(NamedTuple):
    """The measurements of a dry run: seconds, peak memory in MB, number of Slurm jobs."""

    seconds: float
    memory: float
    jobs: int


def dry_run(folder: Path, group: int) -> DryRun:
    """Measure a dry run with `group` shards per Slurm job."""
    command = [sys.executable, "-m", "snakemake", "--dry-run"]
    command += ["--profile", str(REPOSITORY / "slurm")]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "overlay.yaml"]
    command += ["--group-components", f"shards={group}", "--", "proposals"]
    with (folder / "printed").open("w") as printed:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    text = (folder / "printed").read_text()
    if status:
        raise SystemExit(f"The dry run failed:\n{text[-2000:]}")
    # The jobs of a group are indented; a target makes no files and is not a Slurm job.
    jobs = re.findall(
        r"^(?:\[.*\] Group job |(?:rule|checkpoint) (?!proposals:))", text, re.MULTILINE
    )
    return DryRun(seconds, used.ru_maxrss / 1024, len(jobs))


def make_folder(folder: Path, shards: int) -> None:
    """Write a configuration with `shards` shards of the repository's own photographs."""
    images = {"path": str(REPOSITORY / "tests" / "golden" / "images"), "shards": shards}
    (folder / "overlay.yaml").write_text(yaml.safe_dump({"images": images}))


def make_listing(folder: Path, shards: int) -> None:
    """Make the outputs of rule shard_images."""
    names = ["shards/manifest.parquet", "origins/shard_images.json"]
    make_files(folder, names + [f"shards/{shard:04d}.parquet" for shard in range(shards)])


def make_proposals(folder: Path, shards: range) -> None:
    """Make the outputs of the three rules that process a shard, in their order."""
    for kind, rule in OF_SHARDS.items():
        make_files(folder, [f"proposals/{kind}/{shard:04d}.parquet" for shard in shards])
        if rule:
            make_files(folder, [f"origins/{rule}/{shard:04d}.json" for shard in shards])


def make_files(folder: Path, names: list[str]) -> None:
    """Make empty files in the results folder."""
    for name in names:
        path = folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def states(folder: Path, shards: int) -> Iterator[str]:
    """Yield the name of each state in which a run may start, after bringing the folder into it."""
    make_folder(folder, shards)
    yield "first run"
    make_listing(folder, shards)
    make_proposals(folder, range(shards // 2))
    yield "half searched"
    make_proposals(folder, range(shards // 2, shards))
    make_files(folder, MERGED)
    yield "all done"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shards", type=int, default=1282, help="shards of the larger run [1282, as for ImageNet]"
    )
    parser.add_argument("--group", type=int, default=40, help="shards in a Slurm job [40]")
    chosen = parser.parse_args()
    groups = f"groups of {chosen.group}"
    print(
        f"{'shards':>8}  {'':13}{groups:>14}{'jobs':>6}{'no groups':>14}{'jobs':>6}{'ratio':>8}"
        f"{'peak memory':>14}"
    )
    for shards in (chosen.shards // 10, chosen.shards):
        with tempfile.TemporaryDirectory() as name:
            for state in states(Path(name), shards):
                grouped, single = (dry_run(Path(name), group) for group in (chosen.group, 1))
                line = (
                    f"{shards:8d}  {state:13}{grouped.seconds:12.1f}"
                    f" s{grouped.jobs:6d}{single.seconds:12.1f} s"
                )
                line += f"{single.jobs:6d}{grouped.seconds / single.seconds:8.2f}"
                print(f"{line}{max(grouped.memory, single.memory):11.0f} MB", flush=True)


if __name__ == "__main__":
    main()
