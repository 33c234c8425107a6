"""Compare one of our networks with a reference implementation that carries the same parameters."""

import torch
from torch import nn

from replicate.models.weights import load_reference


def assert_same_network(
    ours: nn.Module, reference: nn.Module, library: str, name: str, size: int = 64, tolerance: float = 1e-4
) -> None:
    """The reference's state_dict loads; outputs agree in eval mode, input gradients in train mode."""
    torch.manual_seed(0)
    randomise(reference)
    load_reference(ours, library, name, reference.state_dict())
    images = torch.randn(2, 3, size, size, dtype=next(ours.parameters()).dtype)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), reference.eval()(images), atol=tolerance, rtol=tolerance)
    gradients = [input_gradient(network, images) for network in (ours, reference)]
    torch.testing.assert_close(gradients[0], gradients[1], atol=tolerance, rtol=tolerance)


def randomise(module: nn.Module) -> None:
    """Give the normalisation layers statistics and scales of their own, so that no layer can hide behind 0 and 1."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)


def input_gradient(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Gradient of a fixed projection of the training-mode logits (dropout off) with respect to the images."""
    module.train()
    for layer in module.modules():
        if isinstance(layer, (nn.Dropout, nn.Dropout2d)):
            layer.eval()
    inputs = images.clone().requires_grad_()
    outputs = module(inputs)
    logits = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
    loss = torch.linspace(-1, 1, logits.numel()).view_as(logits).mul(logits).sum()
    (gradient,) = torch.autograd.grad(loss, inputs)  # those of the parameters would take half of the time
    return gradient / gradient.abs().max()
