import json
import subprocess
import sys

import pytest

from soco.cli import main


def test_keys_lists_every_level(capsys):
    assert main(["keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("pretrain.NAME.views.NUMBER.crop [None]: ") for line in lines)
    assert any(line.startswith("filter.strategy ['ratio3size0308']: ") for line in lines)
    assert any(line.startswith("demo.images [2000]: ") for line in lines)


def test_check_accepts_every_recipe(repository, capsys):
    recipes = sorted((repository / "recipes").glob("*.yaml"))
    assert len(recipes) >= 7
    for recipe in recipes:
        assert main(["check", str(recipe)]) == 0, recipe


def test_check_without_a_file_reads_the_demo_or_the_folders_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    (tmp_path / "config.yaml").write_text("sede: 3\n")
    assert main(["check"]) == 1
    assert "'sede'" in capsys.readouterr().err


def test_check_refuses_in_one_sentence(tmp_path, capsys):
    (tmp_path / "bad.yaml").write_text("images: {path: x}\nsede: 3\n")
    assert main(["check", str(tmp_path / "bad.yaml")]) == 1
    assert capsys.readouterr().err.strip().endswith("there is no key 'sede'; did you mean 'seed'?")


@pytest.mark.parametrize("text", ["- a list", "a: [1", ""])
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path, capsys, text):
    (tmp_path / "bad.yaml").write_text(text)
    assert main(["check", str(tmp_path / "bad.yaml")]) == 1
    assert "bad.yaml" in capsys.readouterr().err


def test_a_store_is_exported(small_store, tmp_path, capsys):
    path, out = str(small_store[0]), str(tmp_path / "out.json")
    assert main(["export-proposals", path, out]) == 1
    assert "`--by key`" in capsys.readouterr().err
    assert main(["export-proposals", path, out, "--by", "key"]) == 0
    counts = [len(boxes) for boxes in json.loads((tmp_path / "out.json").read_text()).values()]
    assert counts == [9, 3, 2, 1, 0]


def test_the_command_starts_without_torch():
    loaded = "import sys, soco.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded]).returncode == 0
