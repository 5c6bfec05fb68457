"""Activation checkpointing.

What a module computed inside is dropped, and computed again when the gradient needs it.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

Call = Callable[..., Any]


def plain(module: nn.Module, *inputs: Any) -> Any:
    """Call a module and keep all its activations."""
    return module(*inputs)


def recomputed(module: nn.Module, *inputs: Any) -> Any:
    """Call a module and keep its inputs alone.

    Its norms' running statistics are updated once, as without it.
    """

    def contexts() -> tuple[
        contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]
    ]:
        return contextlib.nullcontext(), _statistics_at_rest(module)

    return checkpoint(
        module, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )


@contextlib.contextmanager
def _statistics_at_rest(module: nn.Module) -> Iterator[None]:
    norms = [part for part in module.modules() if getattr(part, "track_running_stats", False)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, (_, batches) in zip(norms, before, strict=True):
        # Not by track_running_stats: without statistics a norm keeps other tensors for its
        # gradient. And a counter to be thrown away rather than none: torch's SyncBatchNorm insists
        # on one.
        norm.momentum, norm.num_batches_tracked = 0.0, batches.clone()
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
