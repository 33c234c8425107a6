"""Every variant at paper scale: it builds, has its published size, and survives a training step. Few have the GPUs."""

import json
from functools import cache

import torch
import torch.nn.functional as F

from replicate.data.config import DataConfig
from replicate.data.shapes import data_shape
from replicate.experiments.run_config import Run
from replicate.files import canonical
from replicate.models.counting import count_parameters
from replicate.models.layers.auxiliary import AuxOutput
from replicate.papers import load_paper
from replicate.training.network import build_network, count_network
from replicate.training.optimizers import make_optimizer
from replicate.verdicts.exact import agrees_to_printed_digits
from tests.helpers.composed import over_paper_cases, paper_run

STEP_SIZE = 48  # pixels: a step at 224 asks nothing more of the graph and takes twenty times as long


@cache
def parameters(model: str, data: str) -> int:
    """Parameters of a network for a data set, both as JSON: experiments share many."""
    return count_network(json.loads(model), DataConfig.model_validate_json(data)).parameters


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
def test_survives_a_training_step(experiment: str, variant: str) -> None:
    """Experiments share many networks: each is tried once."""
    _, run = paper_run(experiment, variant)
    model = canonical(run.config.model)
    if model not in TRIED:
        step(run)
        TRIED.add(model)


TRIED: set[str] = set()
"""The networks that have survived."""


def step(run: Run) -> None:
    assert run.config.data is not None
    assert run.config.recipe is not None
    network = build_network(run.config.model, run.config.data, run.config.recipe.init, seed=0).train()
    shape = data_shape(run.config.data)
    side = min(shape.size, max(STEP_SIZE, network.min_size))
    optimizer = make_optimizer(network, run.config.recipe)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    outputs = network(torch.randn(2, shape.channels, side, side))
    logits = outputs.logits if isinstance(outputs, AuxOutput) else outputs
    assert logits.shape == (2, shape.classes)
    loss = F.cross_entropy(logits, torch.tensor([0, 1]))
    assert torch.isfinite(loss)
    loss.backward()
    optimizer.step()
    moved = sum(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert moved > 0.1 * len(before)  # at p_L 0.2 a fifth of the blocks is trained in one step
    assert count_parameters(network) == sum(a.numel() for a in before)
