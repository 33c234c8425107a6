"""Study `count` builds a network as often as its columns ask for another."""

import pytest

from replicate.experiments.experiment import load_experiment
from replicate.studies import count


def test_the_columns_of_one_network_share_one_count(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counting(name: str, *, input_shape: tuple[int, ...], layer: str = "", **options: object) -> object:
        asked.append(f"{name} {input_shape} {layer} {sorted(options.items())}")
        return original(name, input_shape, layer, **options)

    original = count.count
    config = load_experiment("densenet_parameters", ["scale=exact"]).runs()[0].config
    alone = count.counted(config)
    monkeypatch.setattr(count, "count", counting)
    assert count.counted(config) == alone
    assert len(alone) > len(asked) == len(set(asked)) > 0  # parameters and multiply-adds of one network
