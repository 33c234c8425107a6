"""Study `train`: train the variant's network and measure its error on the test data, once, after the last epoch."""

from replicate.data.loaders import check_data
from replicate.experiment import RunConfig
from replicate.studies.base import Outcome, Task
from replicate.training.fit import fit, micro_batch
from replicate.training.init import initialiser
from replicate.training.network import count_network


def check(config: RunConfig) -> None:
    """The network can be built for the data, the data are there, the recipe's names are known."""
    assert config.data is not None
    assert config.recipe is not None
    assert config.trainer is not None
    count_network(config.model, config.data)
    initialiser(config.recipe.init)
    micro_batch(config.recipe, config.trainer)
    check_data(config.data)


def run(task: Task) -> Outcome:
    """Measures test_error and test_top5_error (percent), test_loss, and curves of the training error and loss."""
    trained = fit(task)
    assert task.run.config.data is not None
    size = count_network(task.run.config.model, task.run.config.data)
    return Outcome(
        measurements=trained.measurements,
        status="diverged" if trained.diverged else "finished",
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        images_per_second=trained.images_per_second,
        data_checksum=trained.data_checksum,
    )
