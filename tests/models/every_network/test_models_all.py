"""Every registered network: forward, backward and count, in both modes, at its smallest legal input."""

from functools import cache
from typing import Any, Literal, get_args

import pytest
import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model, model_names, model_options
from replicate.models.counting import count, count_parameters
from replicate.models.registry import check_choice
from replicate.models.stochastic_depth import StochasticDepth

NARROW = 2_000_000  # parameters over which a network that takes a width gets a quarter of it
LARGEST = 60_000_000  # parameters over which a network runs on the meta device: graph and shapes, no arithmetic
CLASSES = 3


@cache
def plan(name: str) -> tuple[dict[str, Any], str]:
    """The options and the device that a network is tried with."""
    options: dict[str, Any] = {"num_classes": CLASSES}
    parameters = size(name, options)
    if parameters > NARROW and "width" in model_options(name):
        options["width"] = 0.25
        parameters = size(name, options)
    return options, "meta" if parameters > LARGEST else "cpu"


def size(name: str, options: dict[str, Any]) -> int:
    with torch.device("meta"):
        return count_parameters(create_model(name, **options))


def logits_of(output: Tensor | tuple[Any, ...]) -> list[Tensor]:
    """The logits, and those of auxiliary heads in training mode."""
    if isinstance(output, Tensor):
        return [output]
    return [tensor for part in output if not isinstance(part, float) for tensor in logits_of(part)]


def step(model: nn.Module, images: Tensor) -> None:
    """Forward and backward; every output has the right shape and every parameter a gradient."""
    model.zero_grad()
    outputs = logits_of(model(images))
    assert all(logits.shape == (len(images), CLASSES) for logits in outputs)
    sum((logits.square().sum() for logits in outputs), torch.zeros((), device=images.device)).backward()  # type: ignore[no-untyped-call]
    if images.is_meta:
        return
    assert all(logits.isfinite().all() for logits in outputs)
    if model.training and not isinstance(model, StochasticDepth):  # which skips whole blocks, as evaluation does heads
        assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", model_names())
def test_forward_backward_and_count(name: str) -> None:
    options, device = plan(name)
    torch.manual_seed(0)
    with torch.device(device):
        model: Any = create_model(name, **options)
        images = torch.randn(2, model.in_channels, model.min_size, model.min_size)
    for training in (True, False):
        step(model.train(training), images)
    counted = count(name, tuple(images.shape[1:]), **options)
    assert counted.parameters == count_parameters(model)
    assert counted.multiply_adds > 0
    assert counted.output == (CLASSES,)
    for cut in (images[..., 1:], images[..., 1:, :]):
        with pytest.raises(UserError, match=f"too small: the smallest size that works is {model.min_size}$"):
            model(cut)


def test_all_sizes_are_tried() -> None:
    """At least one network runs with numbers at full width and one is too large to, or this file tries nothing."""
    plans = [plan(name) for name in model_names()]
    assert len(plans) > 120
    assert sum("width" not in options and device == "cpu" for options, device in plans) > 20
    assert sum(device == "meta" for _, device in plans) < 10


@pytest.mark.parametrize("name", model_names())
def test_a_word_that_an_option_does_not_know_is_refused(name: str) -> None:
    text = {option: p for option, p in model_options(name).items() if isinstance(p.default, str)}
    forms = {option: (p.annotation, *get_args(p.annotation)) for option, p in text.items()}
    words = [option for option, allowed in forms.items() if str not in allowed]  # str: a form of its own
    for option in words:
        with pytest.raises(UserError, match=f"^model {name}: {option} is one of .*, not 'no such word'$"):
            create_model(name, **{option: "no such word"})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vgg", {"stem": "imagnet"}, "stem is one of imagenet, small, not 'imagnet'; did you mean imagenet?"),
        ("squeezenet", {"version": 1.0}, "version is one of '1.0', '1.1', not 1.0"),
        ("alexnet_krizhevsky", {"without": "conv1"}, "without is one of conv2, conv3, conv4, conv5, None, not 'conv1'"),
        ("se_resnet_cifar", {"excitation": ["relu"]}, "excitation is one of 'sigmoid', 'tanh', 'relu', not ['relu']"),
    ],
)
def test_the_message_names_the_choices_and_the_nearest(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        create_model(name, **options)
    assert str(caught.value).startswith(f"model {name}: {message}")


def test_types_without_a_closed_list_of_words_refuse_nothing() -> None:
    for annotation in (Literal["a"] | int, str | None, tuple[Literal["a"], ...], "Literal['a']"):
        check_choice("option", "b", annotation)
    check_choice("option", None, Literal["a"] | None)
    with pytest.raises(ValueError, match="not None"):
        check_choice("option", None, Literal["a"] | Literal["b"])
