"""Experiments that train the output layer alone: what is trained, and by which recipe."""

from pathlib import Path

import torch

from replicate.experiments.experiment import load_experiment
from replicate.papers import load_paper
from replicate.studies.train import check
from replicate.sweep.launch import run_experiment
from replicate.training.network import build_network, train_only


def test_random_variants_train_their_output_layer_and_nothing_else() -> None:
    for run in load_experiment("random_filters").runs(seeds=[0]):
        recipe, data = run.config.recipe, run.config.data
        check(run.config)
        with torch.device("meta"):
            network = train_only(build_network(run.config.model, data, "default", 0), recipe.trained)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if run.variant.endswith("random"):
            assert [parameter.dim() for parameter in trained] == [2, 1]
        else:
            assert len(trained) == len(list(network.parameters()))


def test_pairs_differ_in_what_is_trained_only() -> None:
    runs = {run.variant: run for run in load_experiment("random_filters").runs(seeds=[0])}
    for name, run in runs.items():
        twin = runs[name.replace("random", "trained")].config
        assert twin.model == run.config.model
        assert twin.recipe.model_copy(update={"trained": run.config.recipe.trained}) == run.config.recipe


def test_the_code_is_the_documents() -> None:
    coded, corrected = (run.config for run in load_experiment("alexnet_classifier_only", ["scale=paper"]).runs())
    stated = load_paper("conv_arithmetic").recipes["alexnet_code"]
    for field in ("optimizer", "lr", "weight_decay", "batch_size", "epochs"):
        assert getattr(coded.recipe, field) == getattr(stated, field)
    assert (coded.recipe.trained, corrected.recipe.trained) == ("classifier", None)
    assert coded.model == corrected.model


def test_the_claims_have_their_rows(tmp_path: Path) -> None:
    words = ["scale=smoke", f"runs_dir={tmp_path}", "wandb=disabled", "machine.workers=1", "seed=0"]
    sweep = run_experiment("alexnet_classifier_only", words, quiet=True)
    assert not sweep.failed
    assert sweep.experiment.settings.claims == ("classifier_only_is_worse",)
