"""Show that a network's `min_size` is the smallest side it really takes."""

import pytest
import torch

from replicate.errors import UserError
from replicate.models import create_model


def assert_smallest_size(name: str, min_size: int, graph: str = "", **options: object) -> None:
    """Forward and backward at `min_size` in both modes; one pixel less is refused with the size that works.

    graph: the part of the network that cannot take one pixel less, so that the limit is not stricter than need be.
    """
    model = create_model(name, num_classes=3, in_channels=1, **options)
    assert model.min_size == min_size
    images = torch.randn(2, 1, min_size, min_size)
    for training in (True, False):
        logits = model.train(training)(images)
        assert logits.shape == (2, 3)
        assert logits.isfinite().all()
        logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(UserError, match=f"too small: the smallest size that works is {min_size}$"):
        model(images[..., 1:])
    if graph:
        with pytest.raises(RuntimeError):
            getattr(model, graph)(images[..., 1:, 1:])
