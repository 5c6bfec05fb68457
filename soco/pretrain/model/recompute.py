"""Activation checkpointing: less memory for a second forward pass of each part."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

Call = Callable[..., Any]


def plain(module: nn.Module, *inputs: Any) -> Any:
    """Call a module and keep all of its activations."""
    return module(*inputs)


def recomputed(module: nn.Module, *inputs: Any) -> Any:
    """Call a module, keep only its inputs, and recompute its activations in the backward pass.

    Running statistics of its norms are updated once, in the first forward pass, so that the result
    is bit-identical.
    """

    def contexts() -> tuple[
        contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]
    ]:
        return contextlib.nullcontext(), _frozen_statistics(module)

    # Only the non-reentrant form has a context for the second pass. No module here draws random
    # numbers, so that there is no state to restore.
    return checkpoint(
        module, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )


@contextlib.contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    norms = [part for part in module.modules() if getattr(part, "track_running_stats", False)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, (_, batches) in zip(norms, before, strict=True):
        # track_running_stats = False would make a norm save other tensors for its gradient. The
        # counter is a copy to be thrown away, since torch's SyncBatchNorm does not accept None.
        norm.momentum, norm.num_batches_tracked = 0.0, batches.clone()
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
