import copy
import subprocess

import pytest

from soco.environment import environment, git_state, machine, package_versions, same_machine


@pytest.fixture(autouse=True)
def plain_git(monkeypatch, tmp_path):
    """git prints English, and looks for a repository no higher than the test's folder."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def test_missing_packages_are_left_out():
    assert package_versions(["numpy", "surely-no-such-package"]).keys() == {"numpy"}


def test_the_machine_is_described():
    described = machine()
    assert described["cores"] >= 1 and described["memory_gb"] > 0 and described["platform"]
    assert all(isinstance(name, str) for name in described["gpus"])


def test_the_same_machine_has_the_same_processor_gpus_and_packages():
    here = environment()
    assert same_machine(here, here | {"python": "3.99", "code": {}})
    assert not same_machine(here, here | {"packages": {"torch": "0.1"}})
    other = copy.deepcopy(here)
    other["machine"]["gpus"] = ["H100"]
    assert not same_machine(here, other)


def test_git_state_has_the_commit_and_whether_files_changed(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", tmp_path, *identity, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40 and state["dirty"] is False and state["note"] is None
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path)["dirty"] is True


def test_a_folder_without_git_has_no_commit(tmp_path):
    state = git_state(tmp_path)
    assert (state["commit"], state["dirty"]) == (None, None)
    assert "not a git repository" in state["note"]


def test_git_may_be_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {"commit": None, "dirty": None, "note": "git is not installed"}
