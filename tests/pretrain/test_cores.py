"""Numbers of processes that a machine cannot run are refused before they start."""

import pytest
import torch

from soco.errors import UserError
from soco.pretrain.hardware import see_that_cores_suffice


@pytest.fixture
def cores(monkeypatch):
    """A machine of two cores and no GPU."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("processes", "workers", "sentence"),
    [
        (
            64,
            0,
            "processes is 64, and this machine has no GPU and 2 core(s): lower it to at most 8.",
        ),
        (
            1,
            300,
            (
                "workers is 300 for each of 1 process(es), and this machine has 2 core(s): lower it"
                " to at most 64."
            ),
        ),
        (
            4,
            17,
            (
                "workers is 17 for each of 4 process(es), and this machine has 2 core(s): lower it"
                " to at most 16."
            ),
        ),
    ],
)
def test_many_more_than_the_cores_are_refused(cores, processes, workers, sentence):
    with pytest.raises(UserError) as error:
        see_that_cores_suffice(processes, workers)
    assert str(error.value) == sentence


def test_some_more_than_the_cores_take_turns(cores, monkeypatch):
    """The largest numbers that pass, each beside the next one, which does not."""
    see_that_cores_suffice(8, 8)
    for processes, workers in ((9, 0), (8, 9)):
        with pytest.raises(UserError, match="lower it to at most 8"):
            see_that_cores_suffice(processes, workers)
    monkeypatch.setattr(
        torch.cuda, "is_available", lambda: True
    )  # GPUs are not counted against cores
    see_that_cores_suffice(16, 4)
    with pytest.raises(UserError, match="workers is 5 for each of 16"):
        see_that_cores_suffice(16, 5)
