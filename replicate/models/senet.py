"""Squeeze-and-excitation networks of Hu et al. 2018: the base networks with gates, and SENet-154.

Where paper and well-known code differ: the released Caffe models (timm's legacy_se...) stride the first 1x1 of a
ResNet bottleneck and pad the stem's pooling at the far edge only; timm's seresnet... stride the 3x3 and pad all
around (`stride_in`, `pool`). Both have biases in the gates, the ablations of the journal version do not (`gate_bias`).
timm's 18 and 34 layer networks round the gate's width or end the branch in a ReLU; they are not built here.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from torch import nn

from replicate.models.bn_inception import bn_inception
from replicate.models.inception_resnet import inception_resnet
from replicate.models.layers.blocks import (
    Classifier,
    Residual,
    Stem,
    conv,
    conv_bn,
    named,
    post_activation,
    relu,
    scaled,
)
from replicate.models.layers.squeeze_excitation import squeeze_and_excite
from replicate.models.mobilenet_v1 import mobilenet_v1
from replicate.models.mobilenet_v2 import mobilenet_v2
from replicate.models.preact import preact_resnet_cifar
from replicate.models.registry import register, register_variants
from replicate.models.resnet import (
    BOTTLENECK_LAYERS,
    TORCHVISION_NAMES,
    BottleneckDepth,
    assemble,
    resnet,
    resnet_cifar,
)
from replicate.models.resnext import resnext, resnext_cifar
from replicate.models.shufflenet_v1 import shufflenet_v1
from replicate.models.vgg import vgg
from replicate.models.weights import Rule, register_reference

Builder = Callable[..., nn.Module]
Pool = Literal["caffe", "torch"]


def followed_by(build: Builder, step: Callable[..., nn.Module], name: str, doc: str, **defaults: Any) -> Builder:
    """A builder that lets `build` make a network and `step` change it; it has the options of both.

    `defaults` are other defaults for `build`'s options. The registry reads the options, all by keyword, from the
    signature that is put together here.
    """
    built, (_, *added) = inspect.signature(build).parameters, inspect.signature(step).parameters.values()
    options = [*added, *(option.replace(default=defaults.get(key, option.default)) for key, option in built.items())]

    def combined(**chosen: Any) -> nn.Module:
        later = {option.name: chosen.pop(option.name) for option in added if option.name in chosen}
        return step(build(**{**defaults, **chosen}), **later)

    combined.__name__, combined.__doc__ = name, doc
    keyword_only = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]
    combined.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    return combined


def with_gates(build: Builder, doc: str, **defaults: Any) -> Builder:
    """Register "se_" and the name of `build`: its networks with squeeze-and-excitation gates, and their options."""
    return register(followed_by(build, squeeze_and_excite, f"se_{build.__name__}", doc, **defaults))


def set_pool(model: nn.Module, pool: Pool = "caffe") -> nn.Module:
    """Give the stem Caffe's max pooling, whose last window may reach over the far edge, or leave torch's, padded."""
    stem = model.get_submodule("stem")
    if pool == "caffe" and hasattr(stem, "pool"):
        stem.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return model


def pooled(build: Builder) -> Builder:
    """`build` with the option `pool`."""
    return followed_by(build, set_pool, build.__name__, "")


def senet_branch(in_channels: int, out_channels: int, stride: int, groups: int) -> nn.Sequential:
    """1x1 to half of the output's width, grouped 3x3 to all of it, 1x1 (SENet-154: half of ResNeXt's first width)."""
    inner = out_channels // 2
    return post_activation(
        conv(in_channels, inner, 1),
        conv(inner, out_channels, 3, stride, groups),
        conv(out_channels, out_channels, 1),
    )


def senet_block(in_channels: int, out_channels: int, stride: int, groups: int) -> Residual:
    """The branch, and a projection where the shape changes: 3x3 where the map shrinks."""
    same = in_channels == out_channels and stride == 1
    shortcut = nn.Identity() if same else conv_bn(in_channels, out_channels, 1 if stride == 1 else 3, stride)
    return Residual(senet_branch(in_channels, out_channels, stride, groups), shortcut, relu())


def senet_stem(in_channels: int, width: int, stem: Stem) -> nn.Sequential:
    """Three 3x3 convolutions in place of the 7x7, and the max pooling; the small stem has no stride and no pooling."""
    first = conv(in_channels, width, 3, stride=2 if stem == "imagenet" else 1)
    layers = post_activation(first, conv(width, width, 3), conv(width, 2 * width, 3), last_relu=True)
    if stem == "imagenet":
        layers.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
    return layers


def resnext154(
    depth: BottleneckDepth = 152,
    dropout: float = 0.2,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """SENet-154 without its gates: 64x4d ResNeXt-152 with other widths, projections and stem (appendix)."""
    base = scaled(64, width)  # also the number of groups, which so divides every width
    network = assemble(
        partial(senet_block, groups=base),
        BOTTLENECK_LAYERS[depth],
        stem_width=2 * base,
        out_width=4 * base,
        num_classes=num_classes,
        in_channels=in_channels,
        stem=stem,
        final=lambda _: named(pool=nn.AdaptiveAvgPool2d(1), dropout=nn.Dropout(dropout)),
    )
    network.stem = senet_stem(in_channels, base, stem)
    return network


se_resnet = with_gates(
    pooled(resnet), "ResNets with gates (table 2), by default as the Caffe release.", stride_in="1x1"
)
se_resnext = with_gates(pooled(resnext), "ResNeXts with gates (table 2), by default as the Caffe release.")
se_resnet_cifar = with_gates(resnet_cifar, "The CIFAR networks of He et al. 2015 with gates.")
se_resnext_cifar = with_gates(resnext_cifar, "The CIFAR networks of Xie et al. 2017 with gates.")
se_preact_resnet_cifar = with_gates(preact_resnet_cifar, "ResNet-110 and ResNet-164 with gates (tables 4 and 5).")
se_vgg = with_gates(vgg, "VGG with BN and a gate behind each convolution's ReLU (table 2).", batch_norm=True)
se_bn_inception = with_gates(bn_inception, "BN-Inception with a gate behind each module (table 2).")
se_inception_resnet = with_gates(inception_resnet, "Inception-ResNets with a gate in each residual module (table 2).")
se_mobilenet_v1 = with_gates(mobilenet_v1, "MobileNet with a gate behind each block (table 3).")
se_mobilenet_v2 = with_gates(mobilenet_v2, "MobileNetV2 with a gate in each block, which the paper does not have.")
se_shufflenet_v1 = with_gates(shufflenet_v1, "ShuffleNet with a gate in each unit's branch (table 3).")
senet154 = register(followed_by(pooled(resnext154), squeeze_and_excite, "senet154", "SENet-154 (tables 8 and 9)."))

RESNETS = {f"resnet{depth}": {"depth": depth} for depth in (50, 101, 152)}
RESNEXTS = {
    f"resnext{depth}_{cardinality}x{width}d": {"depth": depth, "cardinality": cardinality, "base_width": width}
    for depth, cardinality, width in ((50, 32, 4), (101, 32, 4), (101, 32, 8), (101, 64, 4))
}
RELEASED_RESNEXTS = {name: RESNEXTS[name] for name in ("resnext50_32x4d", "resnext101_32x4d")}
TORCH_RESNETS = {name: {**fixed, "stride_in": "3x3", "pool": "torch"} for name, fixed in RESNETS.items()}
TORCH_RESNEXTS = {name: {**fixed, "pool": "torch"} for name, fixed in RESNEXTS.items()}
for _prefix, _resnets, _resnexts in (
    ("se_", RESNETS, RESNEXTS),
    ("legacy_se", RESNETS, RELEASED_RESNEXTS),
    ("se", TORCH_RESNETS, TORCH_RESNEXTS),
):
    register_variants(se_resnet, {_prefix + name: fixed for name, fixed in _resnets.items()})
    register_variants(se_resnext, {_prefix + name: fixed for name, fixed in _resnexts.items()})
register_variants(senet154, {"legacy_senet154": {}})
register_variants(se_vgg, {"se_vgg16": {"config": "D"}})
register_variants(se_inception_resnet, {"se_inception_resnet_v2": {"version": "v2"}})

LEGACY_NAMES: tuple[Rule, ...] = (
    (r"^layer0\.", "stem."),
    (r"^layer(\d)\.", lambda match: f"stages.{int(match[1]) - 1}."),
    (r"^(stages\.\d+\.\d+)\.(conv|bn)", r"\1.branch.\2"),
    (r"\.se_module\.", ".branch.se."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.bn."),
    (r"^last_linear\.", "fc."),
)
SINGLE_STEM: tuple[Rule, ...] = ((r"^stem\.(conv|bn)1\.", r"stem.\1."),)
TORCH_NAMES: tuple[Rule, ...] = (*TORCHVISION_NAMES, (r"^(stages\.\d+\.\d+)\.se\.", r"\1.branch.se."))
register_reference(
    "timm", [f"legacy_se{name}" for name in (*RESNETS, *RELEASED_RESNEXTS)], (*LEGACY_NAMES, *SINGLE_STEM)
)
register_reference("timm", ["legacy_senet154"], LEGACY_NAMES)
DEEP_STEM: tuple[Rule, ...] = (
    (r"^bn1\.", "stem.bn3."),
    (r"^conv1\.([036])\.", lambda match: f"stem.conv{int(match[1]) // 3 + 1}."),
    (r"^conv1\.([14])\.", lambda match: f"stem.bn{int(match[1]) // 3 + 1}."),
)
register_reference("timm", ["senet154"], (*DEEP_STEM, *TORCH_NAMES))
register_reference("timm", [f"se{name}" for name in (*TORCH_RESNETS, *TORCH_RESNEXTS)], TORCH_NAMES)
