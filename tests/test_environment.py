import subprocess

import pytest

from soco.environment import git_state, machine, package_versions


@pytest.fixture(autouse=True)
def plain_git(monkeypatch, tmp_path):
    """git says what it says in English, and looks for a repository no higher than the test's folder."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def test_absent_packages_are_left_out():
    assert package_versions(["numpy", "surely-no-such-package"]).keys() == {"numpy"}


def test_machine_is_told():
    told = machine()
    assert told["cores"] >= 1 and told["memory_gb"] > 0 and told["platform"]
    assert all(isinstance(name, str) for name in told["gpus"])


def test_git_tells_commit_and_changes(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True
        )

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
    assert (
        state["commit"] is None
        and state["dirty"] is None
        and "not a git repository" in state["note"]
    )


def test_git_may_be_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {"commit": None, "dirty": None, "note": "git is not installed"}
