"""Casting the target's weights once a step, where autocast would cast them again for each view."""

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import nn


@contextlib.contextmanager
def weights_cast_once(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Compute without gradient, with weights that autocast casts at their first use and then keeps.

    Autocast keeps the casts of parameters that require a gradient and of no others, so these say
    that they do; within `no_grad` nothing else follows from that.
    """
    parameters = list(parameters)
    with torch.no_grad():
        for parameter in parameters:
            parameter.requires_grad_(True)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
