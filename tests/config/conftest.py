import contextlib

import pytest
import yaml
from user_errors import refused


@pytest.fixture
def demo(repository):
    """The demo's configuration as plain values, to be changed by a test."""
    return yaml.safe_load((repository / "config.yaml").read_text())


@pytest.fixture(scope="session")
def config_refused():
    """Expect a configuration to be refused for one fault.

    Its code, its key where that is given, and words of its sentence.
    """

    @contextlib.contextmanager
    def expect(code, place=None, words=""):
        with refused("config.refused") as caught:
            yield caught
        (fault,) = caught.value.values["faults"]
        assert fault.code == f"config.{code}", fault
        assert place in (None, fault.place), fault
        assert words in fault.sentence, fault

    return expect
