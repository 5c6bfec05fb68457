"""A whole training step as one CUDA graph, which the host launches at once.

A step of a small model is thousands of short kernels, and the GPU waits for the host that launches
them one by one. A graph is captured once and replayed with other inputs in the same memory. It
needs sizes that never change, and steps that read nothing from the GPU.
"""

import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from soco import torch_compat
from soco.pretrain.step import Rates, Taken, TrainStep
from soco.pretrain.views import Batch

log = logging.getLogger(__name__)

# Steps before the capture: they allocate what stays (momentum), and libraries choose algorithms.
_WARM_UP = 3
# Largest differences between a replayed step and the same step without a graph: of the loss, and of
# each part relative to the length of its step. A GPU may add in another order, and in bf16 that
# moves gradients; a graph that omits anything is wrong by about 1.
_LOSS, _PART = 1e-3, 0.1

State = dict[str, list[Tensor]]


class GraphedStep:
    """Takes steps as `TrainStep` does: the first ones as it is, then as a CUDA graph of it.

    Before the graph is used, one step is taken in both ways from the same weights. If the results
    differ, or the capture fails, training continues without a graph, and the log says so.
    """

    def __init__(self, step: TrainStep) -> None:
        """Prepare to capture a step.

        Args:
            step: The step, of one process and without gradient accumulation or loss scaling.
        """
        self._step, self._taken = step, 0
        self._graph: Capture | None = None

    def __call__(self, batches: Iterator[Batch], rates: Rates) -> Taken:
        """Take one step; arguments as for `TrainStep`."""
        self._taken += 1
        if self._graph is not None:
            return self._graph.replay(next(batches), rates)
        if self._taken == _WARM_UP + 1:
            return self._capture(next(batches), rates)
        return self._step(batches, rates)

    def _capture(self, batch: Batch, rates: Rates) -> Taken:
        """Capture the step, and use the graph if it does what the step does."""
        state = _state(self._step)
        before = _copies(state)
        plain = self._step(iter([batch]), rates)
        after = _copies(state)
        try:
            _restore(state, before)
            graph = Capture(self._step, batch)
            replayed = graph.replay(batch, rates)
            problem = _problem(replayed, plain) or _wrong_part(state, after, before)
        except RuntimeError as error:  # also torch.OutOfMemoryError
            problem = " ".join(str(error).split())[:200]
        if problem is None:
            self._graph = graph
            log.info("steps are replayed as a CUDA graph")
            return replayed
        log.warning("steps run without a CUDA graph: %s", problem)
        _restore(state, after)
        return plain


class Capture:
    """A captured step, with the memory that it reads and writes."""

    def __init__(self, step: TrainStep, batch: Batch) -> None:
        """Capture a step; it is recorded, not taken.

        Args:
            step: The step.
            batch: A batch; others must have the same shapes.
        """
        device = batch.views[0].device
        self._batch = batch.clone()
        # Rates are read from the GPU's memory: numbers would be captured as they are now.
        self._lr = torch.zeros((), device=device)
        # In float32, 1 - momentum would lose its digits at the end of the schedule.
        self._momentum = torch.zeros((), device=device, dtype=torch.float64)
        # Gradients of the steps before: the graph has memory of its own.
        step.optimiser.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        _load_kernels(self._lr)
        self._graph = torch.cuda.CUDAGraph()
        with torch_compat.captured(self._graph):
            step.begin(self._momentum)
            self._values = step.differentiate(self._batch)
            step.finish(self._lr)

    def replay(self, batch: Batch, rates: Rates) -> Taken:
        """Take a step with a batch and rates."""
        for own, given in zip(self._batch.tensors(), batch.tensors(), strict=True):
            own.copy_(given)
        self._lr.fill_(rates.lr)
        self._momentum.fill_(rates.ema_momentum)
        self._graph.replay()
        # The next replay overwrites its results.
        return Taken(self._values.clone()[None], [batch.numbers])


def _load_kernels(rate: Tensor) -> None:
    """Run what only rates on the GPU need: a kernel is loaded when it is first used."""
    some = [torch.zeros_like(rate)]
    torch_compat.lerp_(some, some, rate)
    torch_compat.add_(some, some, alpha=-rate)


def _state(step: TrainStep) -> State:
    """Everything that a step changes, by kind: each moves by its own rule."""
    weights = list(step.model.parameters())
    return {
        "weights": [p.detach() for p in weights if p.requires_grad],
        "target": [p.detach() for p in weights if not p.requires_grad],
        "statistics": [b for b in step.model.buffers() if b.is_floating_point()],
        "counts": [b for b in step.model.buffers() if not b.is_floating_point()],
        **_optimiser_state(step.optimiser),
    }


def _optimiser_state(optimiser: torch.optim.Optimizer) -> State:
    """Momentum and what else an optimiser keeps for each parameter, by its name."""
    kinds: State = {}
    for entry in optimiser.state.values():
        for kind, tensor in entry.items():
            kinds.setdefault(kind, []).append(tensor)
    return kinds


def _copies(state: State) -> State:
    """Copies on the host: on the GPU, a step that just fits would not fit beside them."""
    return {kind: [t.to("cpu", copy=True) for t in tensors] for kind, tensors in state.items()}


@torch.no_grad()
def _restore(state: State, values: State) -> None:
    for kind, tensors in state.items():
        for tensor, value in zip(tensors, values[kind], strict=True):
            tensor.copy_(value)


def _problem(replayed: Taken, plain: Taken) -> str | None:
    """How the loss of a replayed step is wrong; NaN counts as wrong."""
    ours, theirs = replayed.values[0, 0], plain.values[0, 0]
    apart = float((ours - theirs).abs() / theirs.abs().clamp(min=1))
    return None if apart <= _LOSS else f"the loss of a step differs by {apart:.2g}"


def _wrong_part(state: State, after: State, before: State) -> str | None:
    """Which part a replayed step has moved elsewhere than the step without a graph."""
    for kind, tensors in state.items():
        apart = _distance(tensors, after[kind])
        if apart > 0 and not apart <= _PART * _distance(after[kind], before[kind]):
            return f"a step leaves other {kind}"
    return None


def _distance(these: list[Tensor], others: list[Tensor]) -> float:
    squares = [
        (a.cpu().double() - b.cpu().double()).square().sum()
        for a, b in zip(these, others, strict=True)
    ]
    return float(torch.stack(squares).sum().sqrt())
