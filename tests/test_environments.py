"""Every way to install the project uses one installer and one lock file."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet


@pytest.fixture
def envs(repository):
    return repository / "envs"


def pins(path):
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return [Requirement(line) for line in lines if line]


def test_the_lock_pins_all_that_is_asked_for(envs):
    locked = {pin.name.lower().replace("_", "-"): pin for pin in pins(envs / "requirements.lock")}
    assert all(re.fullmatch(r"==[^,*]+", str(pin.specifier)) for pin in locked.values())
    for asked in pins(envs / "requirements.in"):
        (pinned,) = locked[asked.name.lower().replace("_", "-")].specifier
        assert asked.specifier.contains(pinned.version), asked


def test_conda_docker_and_apptainer_call_the_installer_that_make_install_calls(repository, envs):
    makefile = (repository / "Makefile").read_text()
    assert re.search(
        r"^\$\(INSTALLED\): envs/requirements\.lock envs/install\.sh.*\n\tenvs/install\.sh ",
        makefile,
        re.M,
    )
    assert "requirements.lock" in (envs / "install.sh").read_text()
    assert "\nenvs/install.sh" in (envs / "soco.post-deploy.sh").read_text()
    for recipe in ("Dockerfile", "soco.def"):
        assert re.search(r"make (-C /opt/soco )?install$", (envs / recipe).read_text(), re.M), (
            recipe
        )
    dependencies = yaml.safe_load((envs / "soco.yaml").read_text())["dependencies"]
    assert [name.split("=")[0] for name in dependencies] == [
        "python",
        "pip",
    ]  # all else comes from the lock


def test_all_of_them_have_one_python_and_the_installer_accepts_later_ones(repository, envs):
    asked = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["requires-python"]
    (python, _) = yaml.safe_load((envs / "soco.yaml").read_text())["dependencies"]
    images = [
        re.search(r"python:(\d+\.\d+)-", (envs / name).read_text())[1]
        for name in ("Dockerfile", "soco.def")
    ]
    assert {python.removeprefix("python="), *images} == {"3.11"}
    offered = re.search(r"candidates=\((python.+)\)", (envs / "install.sh").read_text())[1].split()
    assert offered == ["python3.11", "python3.12", "python3.13"]
    allowed = SpecifierSet(asked)
    assert all(allowed.contains(name.removeprefix("python")) for name in offered)
    assert not allowed.contains("3.10") and not allowed.contains("3.14")


@pytest.mark.parametrize("given", ["", "nowhere/python3.11", "old python"])
def test_without_a_python_of_these_the_installer_says_so(repository, tmp_path, given):
    """The path has only what the script needs before it looks for Python, and a wrong Python."""
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    (tmp_path / "old python").write_text("#!/bin/bash\nexit 1\n")
    (tmp_path / "old python").chmod(0o755)
    done = subprocess.run(
        [tmp_path / "bash", repository / "envs" / "install.sh", tmp_path / "venv"],
        env={"PATH": str(tmp_path), "PYTHON": given},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11, 3.12 or 3.13 ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()
