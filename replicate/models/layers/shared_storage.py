"""BN, ReLU and convolution over a concatenation that is not kept: the shared storage of Pleiss et al. 2017, section 3.

The report reuses two buffers, one for concatenations, one for BN's outputs. Torch's allocator reuses freed memory by
itself, so it is enough to keep neither and to make both once more in the backward pass. Where report and code differ:
the report computes BN again; its statistics are two numbers a channel and are kept here, so that only a copy and one
multiply-add for each number are repeated.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Gradients = tuple[Tensor | None, ...]


class Remade(torch.autograd.Function):
    """conv(ReLU(BN(cat(features)))), keeping only the features and BN's statistics for the backward pass.

    The arguments after the modules are the parameters of `norm` and the kernel of `conv`, so that autograd sees them.
    The results equal those of the modules called one by one, on a CPU to the bit. The gradient has no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, norm: nn.BatchNorm2d, conv: nn.Conv2d, weight: Tensor, bias: Tensor, kernel: Tensor, *features: Tensor
    ) -> Tensor:
        maps, mean, spread = normalise(norm, torch.cat(features, dim=1))
        ctx.save_for_backward(weight, bias, kernel, mean, spread, *features)
        ctx.eps, ctx.training, ctx.stride, ctx.padding = norm.eps, norm.training, conv.stride, conv.padding
        return torch.conv2d(maps.relu_(), kernel, None, conv.stride, conv.padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        weight, bias, kernel, mean, spread, *features = ctx.saved_tensors
        stacked = torch.cat(features, dim=1)
        inverse = spread if ctx.training else (spread + ctx.eps).sqrt().reciprocal()
        scale = inverse * weight
        shift = torch.addcmul(bias, mean, scale, value=-1)
        maps = torch.addcmul(planes(shift), stacked, planes(scale)).to(stacked.dtype).relu_()
        # in mixed precision the convolution ran in the gradient's type
        to_maps, to_kernel, _ = torch.ops.aten.convolution_backward(
            gradient, maps.to(gradient.dtype), kernel.to(gradient.dtype), None, ctx.stride, ctx.padding, (1, 1), False,
            (0, 0), 1, (True, True, False),
        )  # fmt: skip
        to_norm = torch.ops.aten.threshold_backward(to_maps.to(maps.dtype), maps, 0)
        to_stacked, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            to_norm, stacked, weight, mean, spread, mean, inverse, ctx.training, ctx.eps, (True, True, True)
        )
        parts = to_stacked.split([part.shape[1] for part in features], dim=1)
        return None, None, to_weight, to_bias, to_kernel.to(kernel.dtype), *parts


def planes(channels: Tensor) -> Tensor:
    """(channels,) as (channels, 1, 1)."""
    return channels[:, None, None]


def normalise(norm: nn.BatchNorm2d, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """BN's output, its mean and the inverse of its deviation, (channels,) each; in evaluation the mean and variance.

    Updates the running statistics once.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    out, mean, inverse = torch.native_batch_norm(
        maps, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.training, norm.momentum, norm.eps
    )
    if not norm.training:
        return out, norm.running_mean, norm.running_var
    norm.num_batches_tracked.add_(1)
    return out, mean, inverse
