"""Every network that torchvision or timm also has gives the same outputs and gradients with the same parameters.

In double precision: the deepest networks amplify float32's rounding beyond any fixed tolerance.
"""

from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from replicate.models import create_model, model_names
from replicate.models.weights import reference_names
from tests.helpers.reference import assert_same_network

KNOWN = [(library, name) for library in ("timm", "torchvision") for name in reference_names(library)]
OURS = {("torchvision", "googlenet"): "googlenet_torchvision"}  # `googlenet` is the paper's graph
OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("timm", "inception_v3"): {"auxiliary": "none"},  # timm's has no auxiliary head
    ("timm", "senet154"): {"pool": "torch"},  # trained in MXNet; the Caffe release is timm's legacy_senet154
}


def reference(library: str, name: str) -> nn.Module:
    """The library's network without dropout, which is drawn at random in training mode."""
    if library == "timm":
        return timm.create_model(name, pretrained=False, drop_rate=0.0)
    own = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **own)


def with_weights(network: nn.Module) -> nn.Module:
    """The network, built without memory, in double precision; the libraries' own initialisations take as long again."""
    network.double().to_empty(device="cpu")
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_uniform_(parameter)
        else:
            nn.init.uniform_(parameter, -0.1, 0.1)
    return network


@pytest.mark.parametrize(("library", "name"), KNOWN, ids=str)
def test_same_outputs_and_gradients(library: str, name: str) -> None:
    ours = OURS.get((library, name), name)
    assert ours in model_names()
    with torch.device("meta"):
        own: Any = create_model(ours, **OPTIONS.get((library, name), {})).double()
        theirs = reference(library, name)
    own.to_empty(device="cpu")  # the reference's parameters replace its own
    assert_same_network(own, with_weights(theirs), library, name, size=max(48, own.min_size))
