"""The moving average of a network's weights, which some papers test in place of the last weights."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def weight_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of `network` whose weights and running statistics `update_parameters` moves towards those of `network`.

    TensorFlow's ExponentialMovingAverage with the number of steps n, as the trainers released for Inception v3 and
    MobileNet v2 call it: the average keeps min(decay, (1 + n) / (10 + n)) of itself, so that early weights fade fast.
    """

    def move(average: Tensors, current: Tensors, updates: Tensor | int) -> None:
        kept = ((1 + torch.as_tensor(updates)) / (10 + updates)).clamp(max=decay)
        for mean, value in zip(average, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, (1 - kept).to(mean))
            else:  # BN counts its batches
                mean.copy_(value)

    averaged = AveragedModel(network, multi_avg_fn=torch.no_grad()(move), use_buffers=True)
    averaged.requires_grad_(False)  # several devices average gradients of trained parameters only
    return averaged
