"""The workflow run from a folder of the user's own, with the Snakefile elsewhere."""

import pytest
import yaml

from soco.config import load_config


@pytest.fixture
def from_own_folder(snakemake, repository, tmp_path, readable_images):
    """Run Snakemake as users do in a folder of their own, with images but no config.yaml."""
    readable_images(tmp_path / "images")
    (tmp_path / "mine.yaml").write_text("images: {path: images}\nprobes: {shapes: null}\n")
    overlays = [repository / "recipes" / "test.yaml", "mine.yaml"]

    def run(*arguments, code=0):
        command = [*arguments, "-s", repository / "Snakefile", "-c2", "--configfile", *overlays]
        found, printed = snakemake(command, tmp_path)
        assert found == code, printed
        return printed

    run.folder, run.overlays = tmp_path, [overlays[0], tmp_path / "mine.yaml"]
    return run


def test_snakemake_reads_what_soco_check_reads(from_own_folder):
    """The configuration comes from the given files alone, and results are in the folder."""
    from_own_folder("results/own/convert/soco/detectron2_c4.pkl", "--config", "results=results/own")
    folder = from_own_folder.folder
    checked = load_config(*from_own_folder.overlays)
    (record,) = folder.glob("results/own/origins/pretrain_model/soco.json")
    params = yaml.safe_load(record.read_text())["params"]
    assert params["detector"] == checked.detector.model_dump(mode="json")
    assert params["detector"]["backbone"] == "resnet18"
    assert {path.name for path in folder.iterdir()} == {
        "images",
        "mine.yaml",
        "results",
        ".snakemake",
    }


def test_a_key_given_twice_stops_it(from_own_folder):
    (from_own_folder.folder / "mine.yaml").write_text("images: {path: images}\nseed: 1\nseed: 2\n")
    assert "mine.yaml gives the key 'seed' twice (lines 2 and 3)" in from_own_folder("-n", code=1)


def test_a_config_of_the_folder_is_read_only_without_configfile(
    from_own_folder, snakemake, repository
):
    folder = from_own_folder.folder
    (folder / "config.yaml").write_text("images: {path: images}\nsede: 1\n")
    assert "sede" not in from_own_folder("-n", "proposals")
    command = ["-n", "proposals", "-s", repository / "Snakefile", "-c1"]
    code, printed = snakemake(command, folder)
    assert code == 1
    assert "there is no key 'sede'" in printed
    (folder / "config.yaml").write_text("images: {path: images}\nresults: mine\n")
    code, printed = snakemake([*command, "--config", "seed=3"], folder)
    assert code == 0, printed
    assert "mine/proposals/store.arrow" in printed
    assert "demo_data" not in printed


def test_names_with_special_characters_are_names(from_own_folder):
    """Quotes, spaces, symbols and a leading dash, in the folders of results and of images."""
    folder, odd = from_own_folder.folder, "-a b/q'q\"$(touch pwned);%s*ü#&[x]?!a<b"
    (folder / "-images").mkdir()
    (folder / "images").rename(folder / odd.replace("-a b", "-images"))
    overlay = {
        "images": {"path": odd.replace("-a b", "-images")},
        "results": odd,
        "probes": {"shapes": None},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(overlay, allow_unicode=True))
    from_own_folder("proposals")
    assert (folder / odd / "proposals" / "store.arrow").is_file()
    assert not list(folder.rglob("pwned"))


@pytest.mark.parametrize("name", ["a{b}", "a{b", "<results>", "a\nb"])
def test_impossible_names_are_refused_with_their_key(from_own_folder, name):
    (from_own_folder.folder / "mine.yaml").write_text(yaml.safe_dump({"results": name}))
    assert "The configuration is refused: 'results' is '" in from_own_folder("-n", code=1)
