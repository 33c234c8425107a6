"""Dense layers as convolutions, and how test images are cut up.

Section 2.5 of "Classic convolutional neural networks", part I, and 2.2.1 and 3.2 of part II.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.functional import ten_crop as ten_crops

from replicate.models import create_model
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import chain, conv, distinct, output_shape, same, weights


def as_convolution(dense: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """The convolution with the reshaped weights of a dense layer on (channels, side, side)."""
    layer = conv(channels, dense.out_features, side)
    layer.weight = nn.Parameter(dense.weight.view(-1, channels, side, side))
    return layer


def small_network(padding: int) -> nn.Sequential:
    """3x3 convolution, ReLU, 2x2 pool, 3x3 convolution: stride 2 in all."""
    first, second = chain(3, 4, kernel=3, padding=padding), chain(4, 4, kernel=3, padding=padding)
    return nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), second)


def crops_at(image: Tensor, size: int, stride: int) -> Tensor:
    """Every square of `size` pixels at every multiple of `stride`: (crops, channels, size, size)."""
    windows = image.unfold(2, size, stride).unfold(3, size, stride)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def dense_and_cropped(padding: int) -> tuple[Tensor, Tensor]:
    """Class scores of a 24 pixel image as averages: of the fully convolutional network, and of its 16 pixel crops."""
    features, image = small_network(padding), torch.randn(1, 3, 24, 24)
    _, side, _ = features(image[..., :16, :16]).shape[1:]
    dense = nn.Linear(4 * side**2, 5, bias=False)
    scores = as_convolution(dense, 4, side)(features(image)).mean((2, 3))
    return scores[0], dense(features(crops_at(image, 16, 2)).flatten(1)).mean(0)


@check
def fc_to_conv() -> Figures:
    def case(channels: int, side: int, outputs: int) -> bool:
        dense = nn.Linear(channels * side**2, outputs, bias=False)
        layer, x = as_convolution(dense, channels, side), torch.randn(2, channels, side, side)
        return same(layer(x).flatten(1), dense(x.flatten(1))) and weights(layer) == weights(dense)

    return holds([case(3, 4, 5), case(8, 7, 2), case(1, 1, 6)])


@check
def dense_eval_vgg_384() -> Figures:
    with torch.device("meta"):
        features = create_model("vgg16").get_submodule("stages")
        channels, rows, columns = output_shape(features, 3, 384, 384)
        _, side, _ = output_shape(features, 3, 224, 224)
        scores = output_shape(conv(channels, 1000, side), channels, rows, columns)
    return {"map": rows, "scores": scores[1], "positions": scores[1] * scores[2]}


@check
def dense_eval_equals_crops() -> Figures:
    """One network that pads nowhere, one that pads each convolution."""
    return holds(same(*dense_and_cropped(padding)) for padding in (0, 1))


@check
def dense_eval_2x2() -> Figures:
    """The example that the source document draws (14 and 16 pixels): 5x5 convolution, 2x2 pool, 5x5 in place of dense.

    Its scores are those of the crops, one by one.
    """
    network = nn.Sequential(conv(3, 4, 5), nn.ReLU(), nn.MaxPool2d(2), conv(4, 6, 5))
    image = torch.randn(1, 3, 16, 16)
    scores, crops = network(image), crops_at(image, 14, 2)
    equal = same(scores.flatten(2)[0].T, network(crops).flatten(1))
    return holds([equal]) | {"crops": scores.shape[2] * scores.shape[3]}


@check
def ten_crop() -> Figures:
    crops = torch.stack(ten_crops(torch.rand(3, 12, 12), [8, 8]))
    return {"crops": distinct(crops.flatten(1))}


@check
def alexnet_augmentation_factor() -> Figures:
    """Different crops, told apart by their product with a random image of their own size."""
    image, probe = torch.randn(1, 1, 256, 256), torch.randn(1, 1, 224, 224)
    seen = torch.cat([F.conv2d(view, probe).flatten() for view in (image, image.flip(3))])
    return {"crops": distinct(seen)}
