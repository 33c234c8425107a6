"""python -m benchmarks.lesion: all single deletions of a residual network, reusing activations and in full passes."""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date

import torch
from torch import Tensor, nn

from benchmarks.__main__ import alternate, line
from replicate.models import create_model
from replicate.runs.provenance import cpu_name
from replicate.studies.surgery import RemovableLayer, parts, single_deletions, single_deletions_in_full

Deletions = Callable[[nn.Module, list[RemovableLayer], Tensor], Iterator[tuple[RemovableLayer, Tensor]]]
SIZE, GOAL = 32, 1.8


def seconds(deletions: Deletions, network: nn.Module, images: Tensor) -> float:
    """Processor seconds of all single deletions: in one thread the same as wall-clock, but for what others do."""
    started = time.process_time()
    for _ in deletions(network, parts(network), images):
        pass
    return time.process_time() - started


def largest_difference(network: nn.Module, images: Tensor) -> float:
    """Between the logits of the two ways, over all deletions."""
    both = (list(ways(network, parts(network), images)) for ways in (single_deletions, single_deletions_in_full))
    pairs = zip(*both, strict=True)
    return max(float((fast - slow).abs().max()) for (_, fast), (_, slow) in pairs)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lesion", description=__doc__)
    parser.add_argument("--depth", type=int, default=110, help="6n + 2; 110 has 54 blocks")
    parser.add_argument("--images", type=int, default=50)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = create_model("preact_resnet_cifar", depth=chosen.depth).eval().to(memory_format=torch.channels_last)
    images = torch.randn(chosen.images, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    print(f"{date.today()}  {cpu_name()}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}")
    full, reused, gain = alternate(
        lambda: seconds(single_deletions_in_full, network, images),
        lambda: seconds(single_deletions, network, images),
        rounds=3,
    )
    what = f"{len(parts(network))} single deletions, {chosen.images} images of {SIZE} px, 1 thread"
    line(what + ", full", f"{full:.2f} s")
    line("the same, activations reused", f"{reused:.2f} s")
    line("full / reused, median of pairs", f"{gain:.2f}", f"to reach: {GOAL}")
    line("largest difference of a logit", f"{largest_difference(network, images):.1e}")


if __name__ == "__main__":
    main()
