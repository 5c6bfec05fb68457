"""Synchronised batch norm: statistics over the images of all training processes."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from soco.torch_compat import BatchNorm


def synchronise_norms(model: nn.Module, device: torch.device) -> nn.Module:
    """Synchronise every batch norm of a model; parameters keep their names.

    On GPUs this is torch's SyncBatchNorm, as in the release. Torch has none for CPUs, where
    `GlobalNorm` is used.
    """
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, BatchNorm):
                setattr(module, name, _as_global(child))
    return model


class GlobalNorm(BatchNorm):
    """Batch norm with the mean and variance of all processes, for CPUs (gloo).

    The processes may have different numbers of rows.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (N, C, ...); N may be 0 in this process and differ between processes."""
        if not self.training:
            return super().forward(features)
        over = [0, *range(2, features.ndim)]
        shape = [1, -1] + [1] * (features.ndim - 2)
        # Under autocast features may be bf16, in which large sums lose their digits.
        values = features.float()
        # The count goes with the sums: a message costs latency, not bytes.
        rows = values.new_tensor([features.numel() / features.shape[1]])
        # Two passes, since E[x^2] - E[x]^2 loses precision.
        total, count = _SumOverProcesses.apply(torch.cat([values.sum(over), rows])).split(
            [self.num_features, 1]
        )
        mean = total / count
        centred = values - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(over)) / count
        self._update_statistics(mean.detach(), variance.detach(), count.detach())
        scale = torch.rsqrt(variance + self.eps)
        if not self.affine:
            return (centred * scale.view(shape)).to(features.dtype)
        scale = self.weight.float() * scale
        return (centred * scale.view(shape) + self.bias.float().view(shape)).to(features.dtype)

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Update the running statistics as torch's batch norm does.

        During recomputation the momentum is 0 (recompute.py).
        """
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        # As in torch, unbiased (n / (n - 1)) here, and biased where it normalises.
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)

    def _check_input_dim(self, features: Tensor) -> None:
        """Accept any number of dimensions."""


class _SumOverProcesses(torch.autograd.Function):
    """Sum a tensor over all processes; the gradient is summed over all processes as well."""

    @staticmethod
    def forward(context: object, values: Tensor) -> Tensor:
        # A copy, since all_reduce works in place and autograd still needs the input.
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        # The loss of every process depends on the sum: an input's gradient is the sum over them.
        summed = gradient.contiguous().clone()
        dist.all_reduce(summed)
        return summed


def _as_global(norm: BatchNorm) -> GlobalNorm:
    made = GlobalNorm(norm.num_features, norm.eps, norm.momentum, norm.affine)
    made.weight, made.bias = norm.weight, norm.bias
    made.running_mean, made.running_var = norm.running_mean, norm.running_var
    made.num_batches_tracked = norm.num_batches_tracked
    return made.train(norm.training)
