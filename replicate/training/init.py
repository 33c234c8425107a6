"""The papers' weight initialisations, by name."""

import math
from collections.abc import Callable

from torch import nn

from replicate.errors import unknown

Initialiser = Callable[[nn.Module], None]
WEIGHTED = (nn.Conv2d, nn.Linear)


def default(model: nn.Module) -> None:
    """Keep the weights from the layers' constructors (PyTorch's uniform Kaiming)."""


def he_fan_out(model: nn.Module) -> None:
    """Convolutions N(0, 2 / (k k out)), biases 0, BN 1 and 0 (fb.resnet.torch; He et al. 2015b with fan-out)."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        zero_bias(layer)


def he_normal(model: nn.Module) -> None:
    """Convolutions and fully connected layers N(0, 2 / fan-in), biases 0 (He et al. 2015b, equation 10)."""
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        zero_bias(layer)


def xavier(model: nn.Module) -> None:
    """Uniform with variance 2 / (fan-in + fan-out), biases 0 (Glorot and Bengio 2010; VGG, section 3.1)."""
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            nn.init.xavier_uniform_(layer.weight)
        zero_bias(layer)


def gaussian_01(model: nn.Module) -> None:
    """N(0, 0.1 squared), that is variance 0.01, biases 0 (Simonyan and Zisserman 2014, section 3.1)."""
    gaussian(model, std=0.1)


def gaussian_001(model: nn.Module) -> None:
    """N(0, 0.01 squared), biases 0 (Krizhevsky et al. 2012 without its biases of 1)."""
    gaussian(model, std=0.01)


def alexnet(model: nn.Module) -> None:
    """N(0, 0.01 squared); biases 1 in conv2, conv4, conv5 and the hidden layers (Krizhevsky et al. 2012, section 5)."""
    gaussian(model, std=0.01)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    hidden = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][:-1]
    for layer in [convolutions[i] for i in (1, 3, 4) if i < len(convolutions)] + hidden:
        if layer.bias is not None:
            nn.init.ones_(layer.bias)


def lecun_uniform(model: nn.Module) -> None:
    """Uniform within 2.4 / fan-in (LeCun et al. 1998, appendix A)."""
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            bound = 2.4 / math.prod(layer.weight.shape[1:])
            nn.init.uniform_(layer.weight, -bound, bound)


def squeezenet(model: nn.Module) -> None:
    """Xavier for all convolutions but the last: N(0, 0.01 squared); biases 0 (SqueezeNet's official release)."""
    xavier(model)
    *_, last = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    nn.init.normal_(last.weight, std=0.01)


def gaussian(model: nn.Module, std: float) -> None:
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            nn.init.normal_(layer.weight, std=std)
        zero_bias(layer)


def zero_bias(layer: nn.Module) -> None:
    if isinstance(layer, WEIGHTED) and layer.bias is not None:
        nn.init.zeros_(layer.bias)


INITIALISERS: dict[str, Initialiser] = {
    function.__name__: function
    for function in (
        *(default, he_fan_out, he_normal, xavier),
        *(gaussian_01, gaussian_001, alexnet, lecun_uniform, squeezenet),
    )
}


def initialiser(name: str) -> Initialiser:
    """The named scheme. Raises UserError for an unknown name."""
    if name not in INITIALISERS:
        raise unknown("initialisation", name, INITIALISERS)
    return INITIALISERS[name]
