"""verdicts.csv and measurements.csv.gz: everything, once, beside the print, the same bytes, and nothing that runs."""

from pathlib import Path

import pandas as pd
import pytest

from replicate.papers import load_paper
from replicate.report import write_index
from replicate.report.collected import compressed, csv_bytes
from replicate.report.verdict_file import all_verdicts
from replicate.report.write import ALL_MEASUREMENTS, ALL_VERDICTS
from replicate.runs.committed import committed_records
from tests.helpers.site_results import write_made_up_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_results(tmp_path_factory.mktemp("results"))


def test_every_answer_stands_once_with_its_numbers(results: Path) -> None:
    frame = pd.read_csv(results / ALL_VERDICTS).set_index(["experiment", "scale", "claim"])
    answers = [(data, answer) for data in all_verdicts(results) for answer in data.verdicts]
    assert len(frame) == len(answers) > 1
    for data, answer in answers:
        line = frame.loc[(data.experiment, data.scale, answer.claim)]
        assert (line["answer"], line["trained"], line["n"]) == (answer.answer, answer.trained, answer.n)
        assert line["effect"] == pytest.approx(answer.effect, rel=1e-5, nan_ok=True)


def test_every_measurement_stands_beside_the_print(results: Path) -> None:
    frame = pd.read_csv(results / ALL_MEASUREMENTS)
    own = frame[frame["experiment"] == "resnext_cardinality"]
    records = committed_records(results, "resnext", "resnext_cardinality", "laptop")
    values = sum(len(record.measurements) for record in records)
    assert len(own) >= values
    errors = own[(own["metric"] == "top1_error") & own["index"].isna()].set_index(["variant", "seed"])
    for record in records:
        assert errors.loc[(record.variant, record.seed), "value"] == pytest.approx(record.value("test_error"), rel=1e-5)
    printed = {row.variant: row.published for row in load_paper("resnext").tables["cardinality_vs_width"].rows}
    assert set(errors["published"]) == {printed[row]["top1_error"] for row in errors["row"]}
    counted = frame[(frame["experiment"] == "alexnet_parameters") & (frame["variant"] == "total")].iloc[0]
    assert (counted["value"], counted["published"]) == (62_378_344, 62_378_344)


def test_the_same_results_are_the_same_bytes(results: Path) -> None:
    before = [(results / name).read_bytes() for name in (ALL_VERDICTS, ALL_MEASUREMENTS)]
    write_index(results)
    assert [(results / name).read_bytes() for name in (ALL_VERDICTS, ALL_MEASUREMENTS)] == before
    assert compressed(b"x")[4:8] == bytes(4)  # no time


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1 layer", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(word: str) -> None:
    assert csv_bytes(pd.DataFrame({"variant": [word], "value": [-1.5]})).decode().splitlines()[1] == f"'{word},-1.5"


def test_numbers_have_six_digits_and_counts_all() -> None:
    frame = pd.DataFrame({"a": [25_028_904, 10.0, 24.88888888888889, None, 5.000000000000002, True]}, dtype=object)
    assert csv_bytes(frame).decode().splitlines()[1:] == ["25028904", "10", "24.8889", '""', "5", "True"]
