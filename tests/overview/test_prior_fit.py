"""The prior spread is fitted on the committed laptop records, each run once."""

import shutil
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.overview.prior_fit import fitted_on

FOLDERS = ("resnet/resnet_degradation/laptop", "resnext/resnext_cardinality/laptop", "preact/preact_shortcuts/laptop")


def copied(target: Path, name: str) -> None:
    shutil.copytree(Path("results") / name, target / name)


def test_the_fit_takes_committed_laptop_runs_once(tmp_path: Path) -> None:
    for name in FOLDERS:
        copied(tmp_path, name)
    alone = fitted_on(tmp_path)
    spread = alone.kinds["test_error"]
    assert 20 <= spread.variants <= 40
    assert 0.001 < float(spread.variance(spread.typical)) ** 0.5 / spread.typical < 0.2  # type: ignore[arg-type]
    assert alone.experiments == ("preact_shortcuts", "resnet_degradation", "resnext_cardinality")
    shutil.copytree(tmp_path / FOLDERS[0], tmp_path / "resnet/again/laptop")
    copied(tmp_path, "resnet_paths/path_lengths/exact")
    assert fitted_on(tmp_path).kinds == alone.kinds


def test_nothing_is_fitted_on_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no records of laptop scale"):
        fitted_on(tmp_path)
