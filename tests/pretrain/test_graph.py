"""The decision to use a CUDA graph, with a stand-in for the graph; tests/gpu has real ones."""

import contextlib

import pytest
import torch

from soco.pretrain import graph
from soco.pretrain.distributed import Ranks
from soco.pretrain.feed import Feed
from soco.pretrain.graph import GraphedStep
from soco.pretrain.training import Training

CPU = torch.device("cpu")


class Eager:
    """Takes the step that a graph would replay."""

    def __init__(self, step, batch):
        self._step = step

    def replay(self, batch, rates):
        return self._step(iter([batch]), rates)


class WithoutEMA(Eager):
    def replay(self, batch, rates):
        targets = [target for _, target in self._step.model._momentum_pairs()]
        before = [target.clone() for target in targets]
        taken = super().replay(batch, rates)
        for target, value in zip(targets, before, strict=True):
            target.data.copy_(value)
        return taken


class WithoutNorms(Eager):
    def replay(self, batch, rates):
        before = [buffer.clone() for buffer in self._step.model.buffers()]
        taken = super().replay(batch, rates)
        for buffer, value in zip(self._step.model.buffers(), before, strict=True):
            buffer.copy_(value)
        return taken


class TakenTwice(Eager):
    def replay(self, batch, rates):
        super().replay(batch, rates)
        return super().replay(batch, rates)


class Refused(Eager):
    def __init__(self, step, batch):
        raise RuntimeError("operation not permitted when stream is capturing")


class RefusedLate(Eager):
    """Fails after it has changed the weights."""

    def replay(self, batch, rates):
        super().replay(batch, rates)
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def trained(job_of, tiny_recipe):
    """Train all steps in this way; returns the losses and the weights."""

    def run(name, wrap):
        recipe = tiny_recipe.model_copy(update={"epochs": 3, "base_lr": 8.0})
        training = Training(job_of(name, recipe), Ranks(0, 1, CPU))
        step = wrap(training.step)
        feed = Feed(training.dataset, training.sampler, 0, CPU)
        with contextlib.closing(feed):
            losses = [step(feed, training._rates(n)).values for n in range(training.sampler.steps)]
        return torch.cat(losses), training.model.state_dict()

    return run


def assert_same(one, other):
    assert torch.equal(one[0].nan_to_num(), other[0].nan_to_num())
    for name, tensor in one[1].items():
        assert torch.equal(tensor, other[1][name]), name


def test_a_graph_that_does_what_the_step_does_is_used(trained, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(graph, "Capture", Eager)
    assert_same(trained("graphed", GraphedStep), trained("plain", lambda step: step))
    assert "steps are replayed as a CUDA graph" in caplog.text


@pytest.mark.parametrize(
    ("capture", "reason"),
    [
        (WithoutEMA, "a step leaves other target"),
        (WithoutNorms, "a step leaves other statistics"),
        (TakenTwice, "the loss of a step differs by"),
        (Refused, "not permitted when stream is capturing"),
        (RefusedLate, "CUDA out of memory"),
    ],
)
def test_any_other_graph_is_given_up_and_training_goes_on(
    trained, monkeypatch, caplog, capture, reason
):
    monkeypatch.setattr(graph, "Capture", capture)
    assert_same(trained("graphed", GraphedStep), trained("plain", lambda step: step))
    (record,) = [r for r in caplog.records if "without a CUDA graph" in r.getMessage()]
    assert reason in record.getMessage()
