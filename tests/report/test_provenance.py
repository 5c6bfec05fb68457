import hashlib
import subprocess

import pytest

from soco.errors import UserError
from soco.report import provenance
from soco.report.provenance import fingerprint, git_state, machine, package_versions, redo_commands


def test_fingerprint_is_hashlibs(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"soco" * 100_000)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert fingerprint(path) == {"path": str(path), "bytes": 400_000, "sha256": expected}


def test_fingerprint_names_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no-such"):
        fingerprint(tmp_path / "no-such")


def test_absent_packages_are_none():
    versions = package_versions(["numpy", "surely-no-such-package"])
    assert versions["numpy"] and versions["surely-no-such-package"] is None


def test_machine_is_told():
    told = machine()
    assert told["cores"] >= 1 and told["memory_gb"] > 0 and told["platform"]


@pytest.fixture(autouse=True)
def plain_git(monkeypatch, tmp_path):
    """git says what it says in English, and looks for a repository no higher than the test's folder."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def test_git_tells_commit_and_changes(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40 and state["dirty"] is False and state["note"] is None
    assert redo_commands(state)[0] == f"git checkout {state['commit']}"
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path)["dirty"] is True


def test_a_folder_without_git_has_no_commit(tmp_path):
    state = git_state(tmp_path)
    assert state["commit"] is None and state["dirty"] is None and "not a git repository" in state["note"]
    assert redo_commands(state) == ["make install", ".venv/bin/snakemake report"]


def test_git_may_be_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {"commit": None, "dirty": None, "note": "git is not installed"}


def test_a_page_without_commit_says_why(monkeypatch, inputs, tmp_path):
    from soco.report import build_report

    unknown = {"commit": None, "dirty": None, "note": "git is not installed"}
    monkeypatch.setattr(provenance, "git_state", lambda folder: unknown)
    build_report(inputs, tmp_path / "report.html", tmp_path / "report.json")
    assert "unknown: git is not installed" in (tmp_path / "report.html").read_text()
