import json
import shutil

from safetensors.torch import load_file, save_file


def test_a_file_for_another_library_is_made_when_asked_for(
    snakemake, repository, tmp_path, weights, installed
):
    installed("timm")
    run = tmp_path / "results" / "pretrain" / "soco"
    run.mkdir(parents=True)
    save_file(weights, run / "weights.safetensors")
    shutil.copy(repository / "config.yaml", tmp_path)
    target = "results/convert/soco/timm.safetensors"
    arguments = [
        target,
        "--snakefile",
        repository / "Snakefile",
        "--cores",
        "1",
        "--allowed-rules",
        "convert_for",
    ]
    code, printed = snakemake(
        [*arguments, "--configfile", repository / "recipes" / "test.yaml"], tmp_path
    )
    assert code == 0, printed
    assert load_file(tmp_path / target)["conv1.weight"].equal(weights["encoder.conv1.weight"])
    summary = json.loads((tmp_path / f"{target}.json").read_text())
    assert summary["converted"] == 120
    assert max(summary["feature_differences"].values()) <= 1e-5
    log = tmp_path / "results" / "logs" / "convert_for" / "soco" / "timm.safetensors.log"
    assert "Converted 120 tensors" in log.read_text()
