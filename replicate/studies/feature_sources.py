"""Study `feature_sources`: the same readout on features that were drawn, designed, clustered, or trained.

The source document "Classic convolutional neural networks", sections 4.4 and 4.5 of part I, names the sources. The
readout is a logistic regression on the last maps, averaged over 4 x 4 cells: what is judged is what the features tell.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.data import load
from replicate.data.splits import DataSplits, ImageSet
from replicate.errors import UserError
from replicate.experiments.run_config import TrainingConfig
from replicate.models.layers.blocks import Classifier
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task
from replicate.studies.filter_sources import BATCH, layers_of, set_filters
from replicate.studies.options import SourceOptions
from replicate.studies.train import check_training
from replicate.studies.trained import trained
from replicate.training.network import build_network, count_network
from replicate.training.ranking import ranks

CELLS = 4  # a side
PENALTY = 1e-3  # times half of the squared weights of the readout
ITERATIONS = 60  # of L-BFGS


def check(config: TrainingConfig[SourceOptions]) -> None:
    """The network can be trained and is a row of layers; the source is known. Raises UserError."""
    check_training(config)
    network = build_network(config.model, config.data, config.recipe.init, seed=0)
    layers_of(network)
    if not isinstance(network, Classifier):
        raise UserError(f"model {config.model['name']} has no stages whose maps could be read out")


def run(task: Task[TrainingConfig[SourceOptions]]) -> Outcome:
    """Measures train_error and test_error of the readout, in percent."""
    config = task.run.config
    source, splits = config.options.source, load(config.data)
    if source == "trained":
        network = trained(task).network.cpu()
    else:
        network = build_network(config.model, config.data, config.recipe.init, task.run.seed)
        set_filters(network, source, normalised(splits.train, splits), splits.train.labels, task.run.seed)
    size = count_network(config.model, config.data)
    return Outcome(
        measurements=tuple(read_out(network, splits)),
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        data_checksum=splits.checksum,
    )


def normalised(part: ImageSet, splits: DataSplits) -> Tensor:
    """The images as a network sees them, without augmentation."""
    return (part.images.float() - splits.mean) / splits.std


@torch.no_grad()
def features(network: nn.Module, images: Tensor) -> Tensor:
    """The last maps, averaged over CELLS x CELLS cells: (n, channels * CELLS * CELLS)."""
    assert isinstance(network, Classifier)
    network.eval()
    maps = (network.stages(network.stem(batch)) for batch in torch.split(images, BATCH))
    return torch.cat([F.adaptive_avg_pool2d(batch, CELLS).flatten(1) for batch in maps])


def read_out(network: nn.Module, splits: DataSplits) -> Iterator[Measurement]:
    """Fit the readout on the training part, and its errors there and on the test part."""
    train, test = (features(network, normalised(part, splits)) for part in (splits.train, splits.test))
    mean, std = train.mean(0), train.std(0) + 1e-6
    head = logistic((train - mean) / std, splits.train.labels, splits.classes)
    for name, found, part in (("train_error", train, splits.train), ("test_error", test, splits.test)):
        with torch.no_grad():
            wrong = ranks(head((found - mean) / std), part.labels) >= 1
        yield Measurement(metric=name, value=100 * float(wrong.double().mean()))


def logistic(inputs: Tensor, labels: Tensor, classes: int) -> nn.Linear:
    """The linear layer (n, features) to classes of least cross-entropy and PENALTY, by L-BFGS from zero weights."""
    head = nn.Linear(inputs.shape[1], classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(head(inputs), labels) + PENALTY / 2 * head.weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return head
