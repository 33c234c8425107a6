"""The papers' optimisers, and which parameters their weight decay reaches."""

from typing import Any

from torch import nn, optim

from replicate.experiments.recipe import Recipe
from replicate.models.counting import NORMALISATION


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The trained parameters with the recipe's weight decay; those that it spares are a group without one."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if recipe.decay == "all":
        return [{"params": trained, "weight_decay": recipe.weight_decay}]
    spared = {
        id(parameter)
        for layer in model.modules()
        for name, parameter in layer.named_parameters(recurse=False)
        if name == "bias" or isinstance(layer, NORMALISATION) or (recipe.decay == "not_depthwise" and depthwise(layer))
    }
    decayed = [parameter for parameter in trained if id(parameter) not in spared]
    rest = [parameter for parameter in trained if id(parameter) in spared]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


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
