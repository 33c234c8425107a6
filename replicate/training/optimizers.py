"""The papers' optimisers, and which parameters their weight decay reaches."""

from typing import Any

from torch import nn, optim

from replicate.experiments.recipe import Recipe
from replicate.models.counting import NORMALISATION


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The trained parameters by their weight decay and `rate`, the factor of the recipe's learning rate."""
    biases, spared = set(), set()
    for layer in model.modules():
        for name, parameter in layer.named_parameters(recurse=False):
            biases |= {id(parameter)} if name == "bias" and not isinstance(layer, NORMALISATION) else set()
            spared |= {id(parameter)} if spares(recipe, layer, name) else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decay = 0.0 if id(parameter) in spared else recipe.weight_decay
            rate = recipe.bias_rate or 1.0 if id(parameter) in biases else 1.0
            groups.setdefault((decay, rate), []).append(parameter)
    return [
        {"params": groups[decay, rate], "weight_decay": decay, "rate": rate}
        for decay, rate in sorted(groups, reverse=True)
    ]


def spares(recipe: Recipe, layer: nn.Module, name: str) -> bool:
    """Whether weight decay spares the layer's parameter `name`."""
    if recipe.decay == "all":
        return False
    return name == "bias" or isinstance(layer, NORMALISATION) or (recipe.decay == "not_depthwise" and depthwise(layer))


def depthwise(layer: nn.Module) -> bool:
    """Whether the layer filters each channel alone. So few weights need no decay (Howard et al. 2017, section 3.2)."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


def make_optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """Build the recipe's optimiser. The module sets the learning rate before every step."""
    groups = parameter_groups(model, recipe)
    if recipe.optimizer == "sgd":
        return optim.SGD(
            groups, recipe.lr, recipe.momentum, dampening=recipe.dampening, nesterov=recipe.nesterov, foreach=True
        )
    if recipe.optimizer == "rmsprop":
        return optim.RMSprop(
            groups, recipe.lr, alpha=recipe.rmsprop_decay, eps=recipe.eps or 1e-8, momentum=recipe.momentum
        )
    return optim.Adam(groups, recipe.lr, eps=recipe.eps or 1e-8)
