"""Study `responses`: how strongly each layer of a trained network responds (He et al. 2015, section 4.2, figure 7)."""

from functools import partial
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.experiments.run_config import TrainingConfig
from replicate.models.layers.blocks import Classifier
from replicate.runs.records import curve, singles
from replicate.runs.task import Outcome, Task
from replicate.studies.options import NoOptions
from replicate.studies.train import check_training, outcome_of
from replicate.studies.trained import loaders_of, trained
from replicate.training.network import build_network

Config = TrainingConfig[NoOptions]


class Responses:
    """Sums over the outputs of BN that follows a 3x3 convolution, before any ReLU or addition; one for each layer."""

    def __init__(self, network: nn.Module) -> None:
        self.sums: dict[int, Tensor] = {}
        layers = enumerate(normalised(network))
        self.hooks = [layer.register_forward_hook(partial(self.add, place)) for place, layer in layers]

    def add(self, place: int, _: nn.Module, __: object, out: Tensor) -> None:
        """Add a batch of responses of the layer at `place`."""
        values = out.double()
        moments = torch.stack([values.sum(), values.square().sum(), values.new_tensor(values.numel())])
        self.sums[place] = self.sums[place] + moments if place in self.sums else moments

    def deviations(self) -> list[float]:
        """The standard deviation of each layer's responses over images, channels and places, from the input on."""
        for hook in self.hooks:
            hook.remove()
        return [deviation(*self.sums[place].tolist()) for place in sorted(self.sums)]


def deviation(total: float, squares: float, count: float) -> float:
    """From the sums of values and of their squares; rounding may leave a variance of 0 a little below."""
    return max(0.0, squares / count - (total / count) ** 2) ** 0.5


def normalised(network: nn.Module) -> list[nn.BatchNorm2d]:
    """Every BN that normalises the output of a 3x3 convolution, in the order of the network."""
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d))]
    return [
        following
        for layer, following in pairwise(layers)
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3) and isinstance(following, nn.BatchNorm2d)
    ]


def check(config: Config) -> None:
    """The network can be trained and has BN behind its convolutions. Raises UserError."""
    check_training(config)
    network = build_network(config.model, config.data, config.recipe.init, seed=0)
    if not isinstance(network, Classifier) or not normalised(network):
        raise UserError(f"model {config.model['name']} has no 3x3 convolution that BN follows")


@torch.no_grad()
def run(task: Task[Config]) -> Outcome:
    """Measures response_std of every layer (index: from 1, the stem, on) over the test images, and its median.

    The curve sorted_response_std has the same values in descending order (figure 7, below).
    """
    config, subject = task.run.config, trained(task)
    loaders = loaders_of(task, config.data, config.recipe.batch_size, subject.device)
    responses = Responses(subject.network)
    for images, _ in loaders.test:
        subject.network(images.to(subject.device))
    found = responses.deviations()
    measurements = [
        *singles({"median_response_std": median(found)}),
        *curve("response_std", enumerate(found, start=1)),
        *curve("sorted_response_std", enumerate(sorted(found, reverse=True), start=1)),
    ]
    return outcome_of(config, measurements, subject.status, loaders.checksum)
