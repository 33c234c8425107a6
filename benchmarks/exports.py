"""python -m benchmarks.exports [NAMES]: which networks torch.export takes, with the number of images left open."""

import argparse
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from replicate.models import create_model, model_names

ROOM = 16  # pixels over the least that a network takes


def tried(name: str) -> tuple[str, float]:
    """What came of the export, and the seconds that it took. Graph and shapes alone: nothing is computed."""
    start = time.perf_counter()
    with torch.device("meta"):
        network: Any = create_model(name).eval()
        side = network.min_size + ROOM
        images = torch.empty(2, network.in_channels, side, side)
    try:
        return exported(network, images), time.perf_counter() - start
    except Exception as error:  # of whatever kind torch raises: that is the result
        return f"refused: {str(error).strip().splitlines()[0]}", time.perf_counter() - start


def exported(network: nn.Module, images: torch.Tensor) -> str:
    """`any number of images`, or `2 images alone`: tried with one more."""
    program = torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    more = images.new_empty(len(images) + 1, *images.shape[1:])
    try:
        found = len(program.module()(more))
    except (AssertionError, RuntimeError):  # a guard of the exported graph
        found = 0
    return "any number of images" if found == len(more) else f"{len(images)} images alone"


def main(arguments: Sequence[str] | None = None) -> None:
    """A line a network, and how many came to each end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="registered networks; all of them by default")
    names = parser.parse_args(arguments).names or model_names()
    warnings.filterwarnings("ignore")
    ends: dict[str, int] = {}
    for name in names:
        end, seconds = tried(name)
        ends[end] = ends.get(end, 0) + 1
        print(f"{name:32} {end}  {seconds:.1f} s", flush=True)
    print("; ".join(f"{number} {end}" for end, number in ends.items()))


if __name__ == "__main__":
    main()
