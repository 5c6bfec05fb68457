import shutil
import subprocess
import sys

from rocrate.rocrate import ROCrate


def test_snakemake_packs_a_finished_run(repository, written, tmp_path):
    written.write_run(tmp_path)
    shutil.copy(repository / "config.yaml", tmp_path)
    command = [sys.executable, "-m", "snakemake", "crate", "--snakefile", repository / "Snakefile", "--cores", "1"]
    command += ["--allowed-rules", "crate", "export_crate"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    crate = ROCrate(tmp_path / "results/report/crate.zip")
    assert crate.get("results/proposals/summary.json")["encodingFormat"] == "application/json"
    assert "12 files of the run are packed, 0 are told of." in (tmp_path / "results/logs/export_crate.log").read_text()
