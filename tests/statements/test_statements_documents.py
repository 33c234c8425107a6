"""What the source documents say in passing is computed, and each check fails for what it should tell apart."""

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.layers import pooling
from replicate.papers import load_paper
from replicate.statements import documents
from replicate.statements.checks import run_check, run_part
from replicate.verdicts import COLUMNS, Outcome, judge_all

WRONG = {"rank_rule_without_exception", "two_3x3_cost"}


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return run_part("documents", seed=0)


def test_every_statement_has_its_outcome(figures: dict[str, float]) -> None:
    paper = load_paper("source_questions")
    table = paper.tables["statements"]
    assert set(figures) == set(table.units)
    rows = [("documents", "documents", 0, "finished", name, None, value) for name, value in figures.items()]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"index": float})
    found = {verdict.claim: verdict.outcome for verdict in judge_all(paper.claims_of("statements"), table, frame)}
    assert {claim for claim, outcome in found.items() if outcome is Outcome.DIFFERS} == WRONG
    assert len(found) == 8
    assert Outcome.NOT_RUN not in found.values()


def test_no_outcome_hangs_on_the_seed(figures: dict[str, float]) -> None:
    for name in ("l2_norm_pool", "kernel_gradient_at_strides", "rank_and_reduction"):
        again = run_check(name, getattr(documents, name), 1)
        assert again == {column: figures[column] for column in again}


def test_a_mean_is_no_l2_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "RootMeanSquarePool", nn.AvgPool2d)
    assert run_check("l2_norm_pool", documents.l2_norm_pool, 0) == {"l2_norm_pool": 0}


def test_equal_weights_do_not_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flat(pooling.CentreWeightedPool):
        def __init__(self) -> None:
            super().__init__()
            self.weights.fill_(1 / 9)

    monkeypatch.setattr(documents, "CentreWeightedPool", Flat)
    assert run_check("weighted_pool", documents.weighted_pool, 0)["weighted_pool"] == pytest.approx(66.7, abs=0.1)


def test_a_gradient_that_is_not_stretched_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def unstretched(gradient: Tensor, stride: int) -> Tensor:
        return gradient

    monkeypatch.setattr(documents, "stretched", unstretched)
    found = run_check("x", documents.kernel_gradient_at_strides, 0)
    assert (found["x stride 1"], found["x zeros between"]) == (100, 0)


def test_two_3x3_take_the_place_of_each_5x5() -> None:
    with torch.device("meta"):
        network = documents.with_two_3x3(create_model("googlenet"))
    kernels = [layer.kernel_size for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert (5, 5) not in kernels
    plain = count("googlenet", (3, 224, 224)).parameters
    b = 32
    grown = sum(p.numel() for p in network.parameters()) - plain
    modules = [(16, b), (32, 96), (16, 48), (24, 64), (24, 64), (32, 64), (32, 128), (32, 128), (48, 128)]
    assert grown == sum((9 * i + 9 * o + 1 - 25 * i) * o for i, o in modules)


def test_the_work_of_one_pass_by_hand(figures: dict[str, float]) -> None:
    """Convolutions grow with the area, 384^2 / 224^2; the dense layers run at 36 places."""
    convolutions, dense = 15.3466, 0.1236
    assert figures["dense_evaluation_work one pass"] == pytest.approx(
        convolutions * (384 / 224) ** 2 + 36 * dense, rel=1e-3
    )
    assert figures["dense_evaluation_work crops"] == pytest.approx(36 * (convolutions + dense), rel=1e-3)


def test_gradients_have_four_bytes_a_parameter(figures: dict[str, float]) -> None:
    assert figures["bytes_a_step"] == 100
    assert figures["bytes_a_step SqueezeNet"] == pytest.approx(4 * 1.248424)
