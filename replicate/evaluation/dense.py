"""Dense evaluation: a network's fully convolutional form, with the same weights, slid over a whole image.

Simonyan and Zisserman 2015, section 3.2, after Sermanet et al. 2014. Without padding inside the network, its answer is
the mean over all crops at multiples of the network's stride. With padding the two differ, because a crop has zeros
where the whole image continues.
"""

from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models.alexnet import AlexNet
from replicate.models.vgg import VGG


class Dense(nn.Module):
    """Maps, the classifier as convolutions over them, the mean of the class score map: (batch, num_classes)."""

    def __init__(self, maps: nn.Module, classifier: nn.Sequential, grid: int) -> None:
        super().__init__()
        self.maps, self.classifier, self.grid = maps, classifier, grid

    def forward(self, images: Tensor) -> Tensor:
        return self.score_map(images).mean(dim=(2, 3))

    def score_map(self, images: Tensor) -> Tensor:
        """(batch, num_classes, height, width): one score at each place where the classifier's window fits."""
        maps = self.maps(images)
        if min(maps.shape[2:]) < self.grid:
            raise UserError(
                f"images of {images.shape[2]}x{images.shape[3]} pixels leave maps of {maps.shape[2]}x{maps.shape[3]}; "
                f"the fully convolutional form needs {self.grid}x{self.grid}"
            )
        return self.classifier(maps)


def fully_convolutional(network: nn.Module) -> nn.Module:
    """The form that takes images of every size from the training size on.

    VGG and AlexNet read maps of a fixed side, so their linear layers become convolutions. Networks that average their
    maps before one linear layer have this form already: its output for the mean is the mean of its outputs.
    """
    if not isinstance(network, (VGG, AlexNet)) or network.avgpool.output_size == 1:
        return network
    maps, grid = (network.stages if isinstance(network, VGG) else network.features), network.avgpool.output_size
    assert isinstance(grid, int)
    layers = list(network.classifier)
    first = next(place for place, layer in enumerate(layers) if isinstance(layer, nn.Linear))
    made = [as_convolution(layer, grid if place == first else 1) for place, layer in enumerate(layers)]
    return Dense(maps, nn.Sequential(*made), grid).train(network.training)


def as_convolution(layer: nn.Module, side: int) -> nn.Module:
    """A linear layer over maps of side x side as a convolution with the same parameters; other layers as they are."""
    if not isinstance(layer, nn.Linear):
        return layer
    channels = layer.in_features // side**2
    made = nn.Conv2d(channels, layer.out_features, side, device="meta")
    made.weight = nn.Parameter(layer.weight.detach().view(layer.out_features, channels, side, side))
    made.bias = nn.Parameter(layer.bias.detach())
    return made
