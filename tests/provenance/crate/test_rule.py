import shutil

from rocrate.rocrate import ROCrate


def test_snakemake_packs_a_finished_run(snakemake, repository, written, tmp_path):
    written.write_run(tmp_path)
    shutil.copy(repository / "config.yaml", tmp_path)
    arguments = ["crate", "--snakefile", repository / "Snakefile", "--cores", "1"]
    code, printed = snakemake([*arguments, "--allowed-rules", "crate", "export_crate"], tmp_path)
    assert code == 0, printed
    crate = ROCrate(tmp_path / "results/report/crate.zip")
    assert crate.get("results/proposals/summary.json")["encodingFormat"] == "application/json"
    log = (tmp_path / "results/logs/export_crate.log").read_text()
    assert "crate.zip with 12 files of the run." in log
