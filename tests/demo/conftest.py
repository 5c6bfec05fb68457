from pathlib import Path

import pytest

from soco.config.schema import DemoConfig
from soco.demo import make_demo


def small(path: Path) -> DemoConfig:
    return DemoConfig(path=str(path), images=12, train=24, val=12, side=96, objects=(1, 4))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo with seed 1, made once; tests must not write to it."""
    root = tmp_path_factory.mktemp("demo")
    make_demo(small(root), seed=1)
    return root


@pytest.fixture()
def settings(tmp_path: Path) -> DemoConfig:
    """The settings of `demo`, in another folder."""
    return small(tmp_path / "again")
