"""How often the engine errs on simulated sweeps of known truth: at most 5 % in every cell, whatever the seeds."""

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from replicate.errors import UserError
from replicate.overview import calibration_page as calibration
from replicate.papers import load_paper
from replicate.papers.claims import Cell
from replicate.paths import PACKAGE
from replicate.report import report
from replicate.report.table import markdown_table
from replicate.verdicts.calibration import SEEDS, TRUTHS, Case, calibrate, default_cases, printed_spread, true_means
from tests.made_up import made_up_experiment, record_of

SWEEPS = 1000
ALLOWED = 0.05
# The rate over 1,000 sweeps scatters around the true one. A true 5 % shows more than this in one cell of 10,000.
TOLERATED = stats.binom.isf(1e-4, SWEEPS, ALLOWED) / SWEEPS
# With a true effect only the far side of the interval is wrong: 2.5 %.
TOLERATED_REVERSED = stats.binom.isf(1e-4, SWEEPS // 4, ALLOWED / 2) / (SWEEPS // 4)


@pytest.fixture(scope="module")
def without_effect() -> pd.DataFrame:
    return calibrate(truths=["none"], sweeps=SWEEPS)


@pytest.fixture(scope="module")
def with_effect() -> pd.DataFrame:
    return calibrate(truths=["half", "published"], sweeps=SWEEPS // 4)


def test_every_kind_that_meets_spread_is_simulated(without_effect: pd.DataFrame) -> None:
    assert set(without_effect["kind"]) == {"order", "trend", "equal", "ratio", "collapse", "growth"}
    assert set(without_effect["seeds"]) == set(SEEDS) == {3, 5, 10}


def test_without_effect_at_most_five_percent_decide(without_effect: pd.DataFrame) -> None:
    decided = without_effect["reproduced"] + without_effect["contradicted"]
    assert (decided == without_effect["wrong"]).all()
    assert decided.max() <= TOLERATED, without_effect[decided > TOLERATED].to_string()
    assert without_effect["wrong"].mean() <= ALLOWED


def test_without_effect_some_do_decide(without_effect: pd.DataFrame) -> None:
    """A test that never rejects would pass the one above; two rows at ten seeds must come near their 5 %."""
    pair = without_effect.query("claim == 'bn_after_addition_hurts_imagenet' and seeds == 10")
    assert (pair["wrong"] > 0.02).all()


def test_a_true_effect_is_rarely_contradicted(with_effect: pd.DataFrame) -> None:
    assert with_effect["contradicted"].max() <= TOLERATED_REVERSED
    assert with_effect["contradicted"].mean() <= ALLOWED / 2


def test_more_seeds_decide_more(with_effect: pd.DataFrame) -> None:
    rates = with_effect.pivot_table("reproduced", ["claim", "uneven", "truth"], "seeds")
    noise = 0.08  # two rates over 250 sweeps
    assert (rates[5] >= rates[3] - noise).all()
    assert (rates[10] >= rates[5] - noise).all()
    assert (rates.xs("published", level="truth")[10] > 0.85).all()


def test_the_same_generator_gives_the_same_table() -> None:
    case = [Case("preact", "bn_after_addition_hurts_imagenet", 0.5)]
    first, again, other = (calibrate(case, sweeps=20, generator_seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_spread_hides_the_effect() -> None:
    case = Case("preact", "bn_after_addition_hurts_imagenet", printed_spread())
    wide = Case("preact", "bn_after_addition_hurts_imagenet", 20 * printed_spread())
    rates = calibrate([case, wide], seeds=[5], truths=["published"], sweeps=100)["reproduced"]
    assert list(rates > 0.5) == [True, False]


@pytest.mark.parametrize(("share", "means"), [(0.0, (27.94, 27.64)), (1.0, (27.94, 27.88))])
def test_no_effect_for_equality_is_a_difference_of_the_margin(share: float, means: tuple[float, float]) -> None:
    paper = load_paper("resnet")
    test = paper.claim("shallow_plain_equals_residual").test[0]
    found = true_means(test, paper.tables["imagenet_plain_vs_residual"], share)
    assert list(found.values()) == pytest.approx(means)


def test_half_an_effect_lies_between() -> None:
    case = next(case for case in default_cases(0.4) if case.claim == "cardinality_beats_width")
    test = case.reduced().test[0]
    none, half, full = (true_means(test, case.table(), share) for share in (0.0, 0.5, 1.0))
    cell = Cell("ResNet-50 1x64d", "top1_error")
    assert full[cell] == pytest.approx(23.9)
    assert half[cell] == pytest.approx((none[cell] + full[cell]) / 2)
    assert len({round(mean, 9) for cell, mean in none.items() if "101" in cell.row}) == 1


DOCUMENT = PACKAGE.parent / "docs" / "calibration.md"
needs_checkout = pytest.mark.skipif(not DOCUMENT.exists(), reason="needs a checkout")


def table_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@needs_checkout
@pytest.mark.parametrize("cell", [("order", "none", 3), ("ratio", "published", 10), ("collapse", "half", 5)])
def test_the_documents_table_is_the_commands_output(cell: tuple[str, str, int]) -> None:
    kind, truth, seeds = cell
    cases = default_cases(calibration.observed_spread(PACKAGE.parent / "results"))
    case = next(case for case in cases if case.reduced().test[0].kind == kind)
    rates = calibration.simulated(case, truth, seeds, calibration.SWEEPS)
    [line] = table_of(markdown_table(calibration.in_words(rates)))[2:]
    assert line in table_of(DOCUMENT.read_text()), "results/ or the engine changed: run `replicate calibration`"


@needs_checkout
def test_the_document_has_every_cell_and_none_above_five_percent() -> None:
    head, _, *lines = table_of(DOCUMENT.read_text())
    assert len(lines) == len(default_cases(1.0)) * len(TRUTHS) * len(SEEDS)
    wrong = [float(line[head.index("wrong %")]) for line in lines]
    sweeps = calibration.LONGER * calibration.SWEEPS  # of the lines that come near
    assert max(wrong) <= 100 * stats.binom.isf(1e-4, sweeps, ALLOWED) / sweeps
    assert f"wrong decisions in the table is {max(wrong):.1f} %" in DOCUMENT.read_text()
    for line in lines:
        rates = {name: float(line[head.index(f"{name} %")]) for name in calibration.OUTCOMES}
        assert rates["reproduced"] + rates["contradicted"] + rates["undecided"] == pytest.approx(100, abs=0.11)
        allowed = rates["contradicted"] + (rates["reproduced"] if line[head.index("truth")] == "none" else 0)
        assert rates["wrong"] == pytest.approx(allowed, abs=0.11)


def test_a_line_near_five_percent_is_simulated_longer() -> None:
    near, far = (Case("preact", "bn_after_addition_hurts_imagenet", spread, uneven=5.0) for spread in (1.0, 0.001))
    lines = [calibration.simulated(near, "none", 3, 600), calibration.simulated(far, "published", 3, 600)]
    assert [int(line["sweeps"].iloc[0]) for line in lines] == [600 * calibration.LONGER, 600]


def test_the_observed_spread_is_a_median_over_variants(tmp_path: Path) -> None:
    experiment = made_up_experiment()
    with pytest.raises(UserError, match="no trained variant"):
        calibration.observed_spread(tmp_path)
    values = {"1x64d": (10.0, 10.0, 10.0), "2x40d": (10.0, 10.5, 11.0), "32x4d": (10.0, 30.0, 80.0)}
    records = [record_of(run, {"test_error": values[run.variant][run.seed]}) for run in experiment.runs()]
    report(experiment, records, tmp_path)
    assert calibration.observed_spread(tmp_path) == 0.5
