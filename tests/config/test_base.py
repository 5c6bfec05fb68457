"""Which file overlays are laid over, from wherever the workflow is started."""

import pytest
import yaml

from soco.config.base import base_file
from soco.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_without_a_configuration_takes_that_of_the_clone(repository, folder):
    assert base_file(repository, [], None) == str(repository / "config.yaml")


def test_a_folder_with_a_whole_configuration_takes_its_own(repository, folder):
    text = (repository / "config.yaml").read_text()
    own = folder / "config.yaml"
    own.write_text(text.replace("seed: 1 ", "seed: 7 "))
    assert base_file(repository, [], None) == str(own)
    # Names are the user's: one that is left out is no key that is missing.
    changed = yaml.safe_load(text)
    del changed["finetune"]["shapes_lvis"], changed["datasets"]["shapes_lvis"]
    changed["demo"] = None
    own.write_text(yaml.safe_dump(changed))
    assert base_file(repository, [], None) == str(own)


def test_a_folder_with_a_part_of_a_configuration_is_told_so(repository, folder):
    own = folder / "config.yaml"
    own.write_text("images: {path: train}\nquality: {recall: []}\n")
    with pytest.raises(UserError) as error:
        base_file(repository, [], None)
    assert str(error.value).startswith(
        f"{own}, which is read in place of {repository}/config.yaml, leaves out demo,"
        " images.shards, "
    )
    assert str(error.value).endswith(
        " more keys, and these would take the paper's values: copy that file and change the copy,"
        " or rename yours and give it with --configfile."
    )
    changed = yaml.safe_load((repository / "config.yaml").read_text())
    del changed["pretrain"]["soco"][
        "max_without_proposals"
    ]  # its default is what the clone's file says
    own.write_text(yaml.safe_dump(changed))
    assert base_file(repository, [], None) == str(own)
    del changed["pretrain"]["soco"]["epochs"]
    own.write_text(yaml.safe_dump(changed))
    with pytest.raises(
        UserError, match=r"leaves out pretrain\.soco\.epochs, and these would take the paper's"
    ):
        base_file(repository, [], None)


def test_a_link_that_leads_nowhere_is_not_passed_over(repository, folder):
    (folder / "config.yaml").symlink_to(folder / "absent.yaml")
    with pytest.raises(UserError, match=r"There is no configuration file .*/config\.yaml"):
        base_file(repository, [], None)


def test_a_clone_may_hold_a_part_of_a_configuration(folder):
    (folder / "config.yaml").write_text("images: {path: train}\n")
    assert base_file(folder, [], None) == str(folder / "config.yaml")


def test_overlays_and_entries_are_read_strictly(repository, folder):
    (folder / "twice.yaml").write_text("seed: 1\nseed: 2\n")
    with pytest.raises(
        UserError, match=r"twice\.yaml gives the key 'seed' twice, in lines 1 and 2"
    ):
        base_file(repository, [folder / "twice.yaml"], None)
    with pytest.raises(UserError, match="--config gives the key 'seed' twice"):
        base_file(repository, [], ["seed=1", "seed=2"])
