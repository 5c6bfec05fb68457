"""Other tools read the crate: RO-Crate's own validator, and Snakemake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def validator():
    """`rocrate-validator`, from SOCO_ROCRATE_VALIDATOR or the path."""
    found = os.environ.get("SOCO_ROCRATE_VALIDATOR") or shutil.which("rocrate-validator")
    if not found:
        pytest.skip("There is no rocrate-validator: install roc-validator in its own environment.")
    return Path(found)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["workflow-run-crate-0.5", "provenance-run-crate-0.5"])
def test_the_validator_accepts_it(crate, tmp_path, profile):
    """Without a network: context.json has the part of RO-Crate's context that crates use."""
    program, cache, output = validator(), tmp_path / "cache", tmp_path / "found.json"
    prime = [
        program.with_name("python"),
        HERE / "prime_cache.py",
        CONTEXT,
        HERE / "context.json",
        cache,
    ]
    subprocess.run(prime, check=True)
    options = [
        "--offline",
        "--cache-path",
        cache,
        "--output-format",
        "json",
        "--output-file",
        output,
        "--no-paging",
    ]
    command = [program, "-y", "validate", "--profile-identifier", profile, *options, crate.folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert output.exists(), done.stdout + done.stderr
    found = json.loads(output.read_text())
    assert [issue["message"] for issue in found["issues"]] == []
    assert found["passed"]
    assert found["statistics"]["total_passed_checks"] >= 57


@pytest.mark.slow
def test_snakemake_plans_the_run_again_from_the_crate(crate, tmp_path):
    shutil.copytree(crate.folder, tmp_path / "again", ignore=shutil.ignore_patterns("results"))
    command = [sys.executable, "-m", "snakemake", "all", "--dry-run", "--cores", "2"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "again")}
    done = subprocess.run(
        command, cwd=tmp_path / "again", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pretrain_model" in done.stdout
