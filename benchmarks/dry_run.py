"""`snakemake -n proposals` with as many shards as ImageNet takes: seconds and memory, beside a tenth of the shards.

Once as it is on the first run, when every job is to be done, and once when every file is there. The files are empty: a
dry run reads none of them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
KINDS = ("shards", "proposals/raw", "proposals/skipped", "proposals/filtered", "proposals/fixed")
MERGED = ("shards/manifest.parquet", *(f"proposals/{name}" for name in ("store.parquet", "store.arrow")))
COUNTED = ("proposals/skipped.parquet", "proposals/summary.json")
OF_SHARDS = {"raw": "search_regions", "filtered": "filter_regions", "fixed": "fix_up_proposals"}


def dry_run(folder: Path) -> tuple[float, float]:
    """Seconds of a dry run, and its peak memory in MB."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "1"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "overlay.yaml", "--", "proposals"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("The dry run failed.")
    return time.perf_counter() - start, used.ru_maxrss / 1024


def make_folder(folder: Path, shards: int) -> None:
    """Lay out a configuration of so many shards over the repository's own photographs."""
    (folder / "config.yaml").write_text((REPOSITORY / "config.yaml").read_text())
    pictures = {"path": str(REPOSITORY / "tests" / "golden" / "images"), "shards": shards}
    (folder / "overlay.yaml").write_text(yaml.safe_dump({"demo": None, "pictures": pictures}))


def make_outputs(folder: Path, shards: int) -> None:
    """Make every output of the proposal stages, in the order in which they would be made."""
    results = folder / "results"
    for kind in KINDS:
        (results / kind).mkdir(parents=True, exist_ok=True)
    for rule in OF_SHARDS.values():
        (results / "origins" / rule).mkdir(parents=True, exist_ok=True)
    for name in (MERGED[0], "origins/shard_pictures.json"):
        (results / name).touch()
    for kind in KINDS:
        for shard in range(shards):
            (results / kind / f"{shard:04d}.parquet").touch()
            if of_rule := OF_SHARDS.get(Path(kind).name):
                (results / "origins" / of_rule / f"{shard:04d}.json").touch()
    (results / "origins/merge_proposals.json").touch()
    for name in (*MERGED[1:], *COUNTED):
        (results / name).touch()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=1282, help="shards of the larger run [1282, as for ImageNet]")
    most = parser.parse_args().shards
    print(f"{'shards':>8}{'jobs':>8}{'first run':>16}{'all done':>16}{'peak memory':>14}")
    for shards in (most // 10, most):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_folder(folder, shards)
            first, memory = dry_run(folder)
            make_outputs(folder, shards)
            done, memory_done = dry_run(folder)
        print(f"{shards:8d}{3 * shards + 3:8d}{first:14.1f} s{done:14.1f} s{max(memory, memory_done):11.0f} MB")


if __name__ == "__main__":
    main()
