"""Every network that torchvision or timm also has: each of its parameters finds its place and its shape in ours.

The families' own tests compare outputs and gradients; here the names and shapes of all of them, on the meta device.
"""

import pytest
import timm
import torch
import torchvision
from torch import nn

from replicate.models import create_model, model_names
from replicate.models.weights import _RULES, translate

OURS = {("torchvision", "googlenet"): "googlenet_torchvision"}  # `googlenet` is the paper's graph
OPTIONS = {("timm", "inception_v3"): {"auxiliary": "none"}}  # timm's has no auxiliary head


def reference(library: str, name: str) -> nn.Module:
    """The library's network with whatever weights: initialising them would need values, which meta has not."""
    if library == "timm":
        return timm.create_model(name, pretrained=False)
    own = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **own)


@pytest.mark.parametrize(("library", "name"), sorted(_RULES), ids=str)
def test_names_and_shapes_agree(library: str, name: str) -> None:
    ours = OURS.get((library, name), name)
    assert ours in model_names()
    with torch.device("meta"):
        own, theirs = (
            create_model(ours, **OPTIONS.get((library, name), {})).state_dict(),
            reference(library, name).state_dict(),
        )
    renamed = translate(theirs, _RULES[library, name])
    assert set(renamed) == set(own)
    different = {key for key in own if own[key].numel() != renamed[key].numel()}
    assert not different
