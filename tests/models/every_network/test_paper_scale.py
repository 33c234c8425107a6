"""Every variant at paper scale builds, has its published size, and can be trained: few have the GPUs to try."""

import json
from contextlib import suppress
from functools import cache
from math import isfinite
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.linalg import vector_norm

from replicate.data.config import DataConfig
from replicate.data.shapes import data_shape
from replicate.experiments.run_config import Run
from replicate.files import canonical, digest
from replicate.models.layers.auxiliary import AuxOutput
from replicate.papers import load_paper
from replicate.training.network import build_network, count_network
from replicate.training.optimizers import make_optimizer
from replicate.verdicts.exact import agrees_to_printed_digits
from tests.helpers.composed import over_paper_cases, paper_run

IMAGE_SIZE = 48  # pixels: 224 ask nothing more of the graph and take twenty times as long


@cache
def parameters(model: str, data: str) -> int:
    """Parameters of a network for a data set, both as JSON: experiments share many."""
    return count_network(json.loads(model), DataConfig.model_validate_json(data)).parameters  # at the paper's size


@over_paper_cases
def test_has_the_published_parameters(experiment: str, variant: str) -> None:
    paper, run = paper_run(experiment, variant)
    assert run.architecture is not None, "name the architecture of papers/*.yaml that this variant is"
    assert run.config.data is not None
    entry = load_paper(paper).architectures[run.architecture]
    counted = parameters(canonical(run.config.model), run.config.data.model_dump_json())
    classes = data_shape(run.config.data).classes
    if classes in (1000, 10):
        assert counted == entry.reference_params
    elif entry.reference_params_100_classes is not None:
        assert counted == entry.reference_params_100_classes
    printed = entry.published.get("params_m")
    errata = " ".join(load_paper(paper).discrepancies)
    if classes == 100:  # the print is that of CIFAR-10
        return
    if isinstance(printed, (int, float)) and not agrees_to_printed_digits(counted / 1e6, printed):
        assert str(printed) in errata, f"{counted} is not the printed {printed}M, and no erratum says why"


@over_paper_cases
def test_a_training_loss_reaches_the_parameters(experiment: str, variant: str, session_folder: Path) -> None:
    """Experiments share many networks: each is tried once, by the worker that comes first."""
    _, run = paper_run(experiment, variant)
    with suppress(FileExistsError):
        (session_folder / digest(canonical(run.config.model))).touch(exist_ok=False)
        loss_reaches_the_parameters(run)


def loss_reaches_the_parameters(run: Run) -> None:
    """The optimiser takes every parameter; its step, half of the time, would ask nothing more of the network."""
    assert run.config.data is not None
    assert run.config.recipe is not None
    network = build_network(run.config.model, run.config.data, run.config.recipe.init, seed=0).train()
    shape = data_shape(run.config.data)
    side = min(shape.size, max(IMAGE_SIZE, network.min_size))
    outputs = network(torch.randn(2, shape.channels, side, side))
    logits = outputs.logits if isinstance(outputs, AuxOutput) else outputs
    assert logits.shape == (2, shape.classes)
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    groups = make_optimizer(network, run.config.recipe).param_groups
    assert sum(len(group["params"]) for group in groups) == len([*network.parameters()])
    norms = [0.0 if weight.grad is None else float(vector_norm(weight.grad)) for weight in network.parameters()]
    assert all(isfinite(norm) for norm in norms)
    assert sum(norm > 0 for norm in norms) > 0.1 * len(norms)  # at p_L 0.2 a fifth of the blocks is trained in one step
