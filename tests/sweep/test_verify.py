"""replicate verify: committed runs done again agree with their records, and a changed digit is found."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from replicate.cli.whole import verify
from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.paths import PACKAGE
from replicate.runs.committed import RECORDS, read_records, records_file
from replicate.runs.records import Measurement, Record
from replicate.sweep.redo import Verified, choose, compared
from tests.runs.test_records import make_record

NAME, FOLDER = "lenet_layers", Path("results/lenet/lenet_layers/exact")


@pytest.fixture
def committed(workdir: Path) -> list[Record]:
    """results/ with one experiment that is counted in a second."""
    found = PACKAGE.parent / FOLDER
    if not found.is_dir():
        pytest.skip("needs a checkout with results")
    shutil.copytree(found, FOLDER)
    return read_records(FOLDER / RECORDS)


def changed(record: Record, **values: Any) -> Record:
    return record.model_copy(update=values)


def test_committed_runs_are_done_again_and_agree(committed: list[Record], capsys: pytest.CaptureFixture[str]) -> None:
    verify(NAME, ["n=2", "draw=1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 committed runs, draw=1"
    assert len([line for line in lines if ": equal " in line]) == 2


def test_a_changed_digit_is_found_whether_or_not_its_seal_was_made_anew(
    committed: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    first = committed[0]
    spoilt = changed(first, parameters=(first.parameters or 0) + 1)
    (FOLDER / RECORDS).write_bytes(records_file([spoilt]))
    with pytest.raises(typer.Exit):
        verify(NAME, ["n=1"])
    assert f"parameters ({spoilt.parameters} committed, {first.parameters} now)" in capsys.readouterr().out
    path = FOLDER / RECORDS
    path.write_text(path.read_text().replace(str(spoilt.parameters), str(first.parameters)))
    with pytest.raises(UserError, match="its seal does not match"):
        verify(NAME, ["n=1"])


def test_equal_draws_choose_the_same_and_experiments_take_turns() -> None:
    entries, results = [find("lenet_layers"), find("path_lengths")], PACKAGE.parent / "results"
    if not (results / "lenet").is_dir():
        pytest.skip("needs a checkout with results")
    drawn = [[record.id for record in choose(entries, results, None, 4, draw)] for draw in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {record.experiment for record in choose(entries, results, None, 2, 1)} == {"lenet_layers", "path_lengths"}


def of_machine(cpu: str, **values: Any) -> Record:
    told = {"cpu": cpu, "gpu": None, "packages": {"torch": "2"}}
    return changed(make_record(), provenance=told, **values)


def test_bits_are_asked_for_where_the_processor_is_the_same() -> None:
    numbers = (Measurement(metric="test_error", value=12.5), Measurement(metric="lost", value=None))
    near = (numbers[0].model_copy(update={"value": 13.0}), numbers[1])
    far = (numbers[0].model_copy(update={"value": 30.0}), numbers[1])
    same = of_machine("a", measurements=numbers)
    assert compared(same, of_machine("a", measurements=numbers)) == Verified(same, True, ())
    assert compared(same, of_machine("a", measurements=near)).differences == ("test_error (12.5 committed, 13.0 now)",)
    assert compared(same, of_machine("b", measurements=near)) == Verified(same, False, ())
    assert compared(same, of_machine("b", measurements=far)).differences
    assert compared(same, of_machine("b", measurements=numbers[:1])).differences == ("lost (committed only)",)
    assert compared(same, of_machine("b", measurements=numbers, status="diverged")).differences


@pytest.mark.parametrize("word", ["n=x", "n=-1", "m=3", "draw=", "seed=1"])
def test_other_words_are_refused(workdir: Path, word: str) -> None:
    with pytest.raises(UserError, match="verify takes"):
        verify(NAME, [word])


@pytest.mark.parametrize(
    ("word", "said"), [("n=0", "at least one run"), ("scale=nonsense", "unknown scale 'nonsense'")]
)
def test_verify_refuses_what_chooses_nothing(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        verify(None, [word])
