"""Where the filters of a row of convolutions may come from besides training the whole network.

Each source sets the layers one after the other, on the training images' maps as the layers before leave them, and lets
batch normalisation follow those maps. Filters are those of `conv` in every layer that the network lists.
"""

from collections.abc import Callable, Iterator
from math import cos, pi, sin

import torch
import torch.nn.functional as F
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn

from replicate.data.random import derived_seed, generator
from replicate.errors import UserError

PATCHES = 10_000  # for each layer's k-means
ROUNDS = 10  # of k-means
BATCH = 500
SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
GREEDY_EPOCHS, GREEDY_RATE, GREEDY_BATCH = 1, 0.05, 64  # of each layer, under a linear layer of its own

Source = Callable[[nn.Sequential, Tensor, Tensor, int], None]
"""(layer, maps that enter it (n, c, h, w), labels (n,), seed): set the layer's filters in place."""


def layers_of(network: nn.Module) -> list[nn.Sequential]:
    """Every layer with a convolution `conv`, from the input on. Raises UserError where convolutions stand elsewhere."""
    found = [
        module
        for module in network.modules()
        if isinstance(module, nn.Sequential) and isinstance(getattr(module, "conv", None), nn.Conv2d)
    ]
    if len(found) != sum(isinstance(module, nn.Conv2d) for module in network.modules()) or not found:
        raise UserError(f"{type(network).__name__} is no row of layers, each a convolution with what belongs to it")
    return found


def convolution_of(layer: nn.Sequential) -> nn.Conv2d:
    convolution = layer.get_submodule("conv")
    assert isinstance(convolution, nn.Conv2d)
    return convolution


def drawn(layer: nn.Sequential, maps: Tensor, labels: Tensor, seed: int) -> None:
    """As the initialisation drew them."""


def hand_made(layer: nn.Sequential, maps: Tensor, labels: Tensor, seed: int) -> None:
    """Sobel's kernel turned by equal angles, on a first layer that reads one map of 3x3; other layers stay as drawn.

    Sobel's two directions make every other one: cos(a) S + sin(a) S^T.
    """
    convolution = convolution_of(layer)
    if convolution.in_channels != 1:
        return
    if convolution.kernel_size != (3, 3):
        raise UserError("kernels by hand are 3x3")
    angles = [2 * pi * number / convolution.out_channels for number in range(convolution.out_channels)]
    kernels = torch.stack([cos(angle) * SOBEL + sin(angle) * SOBEL.T for angle in angles])
    with torch.no_grad():
        convolution.weight.copy_(kernels[:, None] / 8)  # 1 on a ramp of one gray value a pixel


def patches(maps: Tensor, convolution: nn.Conv2d, seed: int) -> Tensor:
    """Random windows of the padded maps, contrast normalised: (PATCHES, c k k)."""
    draw = generator(seed, "patches")
    images = torch.randint(len(maps), (PATCHES,), generator=draw)
    (height, width), (down, right) = convolution.kernel_size, convolution.padding  # type: ignore[misc,str-unpack]
    padded = F.pad(maps, (int(right), int(right), int(down), int(down)))
    rows = torch.randint(padded.shape[2] - height + 1, (PATCHES,), generator=draw)
    columns = torch.randint(padded.shape[3] - width + 1, (PATCHES,), generator=draw)
    rows, columns = rows[:, None, None] + torch.arange(height)[:, None], columns[:, None, None] + torch.arange(width)
    found = padded[images[:, None, None], :, rows, columns].permute(0, 3, 1, 2).flatten(1)
    found = found - found.mean(1, keepdim=True)
    return found / (found.std(1, keepdim=True) + 0.1)


def k_means(layer: nn.Sequential, maps: Tensor, labels: Tensor, seed: int) -> None:
    """The centres of clusters of patches, each of unit length (Coates et al. 2011)."""
    convolution = convolution_of(layer)
    samples = patches(maps, convolution, seed).double().numpy()
    centres, _ = kmeans2(samples, convolution.out_channels, iter=ROUNDS, minit="++", seed=seed, missing="warn")
    filters = F.normalize(torch.from_numpy(centres).float(), dim=1)
    with torch.no_grad():
        convolution.weight.copy_(filters.view_as(convolution.weight))


def greedy(layer: nn.Sequential, maps: Tensor, labels: Tensor, seed: int) -> None:
    """Trained alone under a linear layer on its average over the map, as layer-wise pretraining with labels does it."""
    torch.manual_seed(derived_seed(seed, "greedy"))
    head = nn.Linear(convolution_of(layer).out_channels, int(labels.max()) + 1)
    optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], GREEDY_RATE, momentum=0.9)
    layer.train()
    for epoch in range(GREEDY_EPOCHS):
        order = torch.randperm(len(maps), generator=generator(seed, "greedy", epoch))
        for chosen in torch.split(order, GREEDY_BATCH):
            optimizer.zero_grad()
            loss = F.cross_entropy(head(layer(maps[chosen]).mean((2, 3))), labels[chosen])
            torch.autograd.backward(loss)
            optimizer.step()


FILTER_SOURCES: dict[str, Source] = {"random": drawn, "hand_made": hand_made, "k_means": k_means, "greedy": greedy}


def set_filters(network: nn.Module, source: str, images: Tensor, labels: Tensor, seed: int) -> None:
    """Set every layer of `network`, in place, from the input on; `images` (n, c, h, w) normalised."""
    for layer in layers_of(network):
        FILTER_SOURCES[source](layer, torch.cat([*entering(network, layer, images)]), labels, seed)
        settle(network, layer, images)


@torch.no_grad()
def entering(network: nn.Module, layer: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """What enters `layer`, batch by batch, in eval mode."""
    network.eval()
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        for batch in torch.split(images, BATCH):
            network(batch)
            yield seen.pop()
    finally:
        hook.remove()


@torch.no_grad()
def settle(network: nn.Module, layer: nn.Sequential, images: Tensor) -> None:
    """Give the layer's normalisation the statistics of its own maps over all images."""
    norm = getattr(layer, "bn", None)
    if not isinstance(norm, nn.BatchNorm2d):
        return
    network.eval()
    norm.reset_running_stats()
    norm.train()
    momentum, norm.momentum = norm.momentum, None  # a plain mean over the batches
    for batch in torch.split(images, BATCH):
        network(batch)
    norm.momentum = momentum
    norm.eval()
