"""Batch norm over the images of all training processes, as the paper's SyncBN."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise_norms(model: nn.Module, device: torch.device) -> nn.Module:
    """Let every batch norm of a model take its statistics over all processes; names of parameters
    stay.

    Torch's own SyncBatchNorm does this on GPUs alone; on a CPU `GlobalNorm` does, by gloo.
    """
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, _global(child))
    return model


class GlobalNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of all processes, which may hold different numbers of rows."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, ...) to the same; N may be 0 here and another number elsewhere."""
        if not self.training:
            return super().forward(features)
        over = [0, *range(2, features.ndim)]
        shape = [1, -1] + [1] * (features.ndim - 2)
        values = features.float()
        rows = values.new_tensor([features.numel() / features.shape[1]])
        # Two passes: the square of the mean taken from the mean of the squares would lose digits.
        total, count = _SumOverProcesses.apply(torch.cat([values.sum(over), rows])).split(
            [self.num_features, 1]
        )
        mean = total / count
        centred = values - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(over)) / count
        self._note(mean.detach(), variance.detach(), count.detach())
        scale = self.weight.float() * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.float().view(shape)).to(features.dtype)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics, as torch's norm does.

        Recomputation sets them at rest (recompute.py).
        """
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)

    def _check_input_dim(self, features: Tensor) -> None:
        """Any number of dimensions will do."""


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: object, values: Tensor) -> Tensor:
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        summed = gradient.contiguous().clone()
        dist.all_reduce(summed)
        return summed


def _global(norm: _BatchNorm) -> GlobalNorm:
    made = GlobalNorm(norm.num_features, norm.eps, norm.momentum)
    made.weight, made.bias = norm.weight, norm.bias
    made.running_mean, made.running_var = norm.running_mean, norm.running_var
    made.num_batches_tracked = norm.num_batches_tracked
    return made.train(norm.training)
