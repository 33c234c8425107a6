"""python -m benchmarks.counting: our counter beside fvcore and torchinfo, on the same networks, in one run."""

import argparse
import logging
import math
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from replicate.models import create_model, model_names
from replicate.models.counting import OperationCounter, count_multiply_adds
from replicate.runs.provenance import cpu_name

SIZES = {"lenet5": 32, "lenet5_modern": 32, "mobilefacenet": 112}  # made for one size; all others take 224 or more
FEW = ("densenet121", "inception_v4", "legacy_seresnet50", "mobilenet_v2", "resnet50", "shufflenet_1x_g3", "vgg16")
KINDS = ("conv", "linear", "matmul", "bmm", "addmm")  # what fvcore counts as we do; it also counts BN and poolings
LAYERS = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Result:
    """Multiply-adds of convolutions and matrix products, and seconds of CPU time."""

    counted: int
    seconds: float


def build(name: str, device: str) -> tuple[nn.Module, Tensor]:
    """A registered network in evaluation mode and one image of the size it was made for."""
    with torch.device(device):
        model: Any = create_model(name).eval()
        size = SIZES.get(name, max(224, model.min_size))
        return model, torch.zeros(1, model.in_channels, size, size)


def ours(model: nn.Module, images: Tensor) -> int:
    return count_multiply_adds(model, images)


def by_torchinfo(model: nn.Module, images: Tensor) -> int:
    """Torchinfo counts layers and charges each its bias as a multiply-add for each output; that is taken off."""
    from torchinfo import summary

    found = summary(model, input_data=images, verbose=0, depth=100, device=images.device)
    layers = [layer for layer in found.summary_list if isinstance(layer.module, LAYERS)]
    return sum(layer.macs - bias_of(layer) for layer in layers)


def bias_of(layer: Any) -> int:
    """What torchinfo adds for the bias: one for each value of a convolution's output, one a channel of a linear's."""
    if layer.module.bias is None:
        return 0
    batch, *shape = layer.output_size
    return int(batch * (math.prod(shape) if isinstance(layer.module, nn.Conv2d) else len(layer.module.bias)))


def by_fvcore(model: nn.Module, images: Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis  # type: ignore[import-untyped]

    analysis = FlopCountAnalysis(model, images).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    counted = analysis.by_operator()
    return int(sum(counted[kind] for kind in KINDS))


def timed(counter: Callable[[nn.Module, Tensor], int], model: nn.Module, images: Tensor) -> Result:
    """CPU time of this process, which a machine shared with others stretches less than the clock."""
    start = time.process_time()
    counted = counter(model, images)
    return Result(counted, time.process_time() - start)


def compare(name: str, with_fvcore: bool) -> dict[str, Result]:
    """Each counter once on a network of its own, already built. fvcore traces, which torch's meta device refuses."""
    results = {"ours": timed(ours, *build(name, "meta")), "torchinfo": timed(by_torchinfo, *build(name, "meta"))}
    if with_fvcore:
        try:
            results["fvcore"] = timed(by_fvcore, *build(name, "cpu"))
        except (TypeError, RuntimeError):  # what forward does with an image's size cannot be traced
            print(f"{name}: fvcore cannot trace it")
    return results


def disagreements(name: str, results: dict[str, Result]) -> list[str]:
    counted = results["ours"].counted
    return [
        f"{name}: {tool} counts {result.counted:,}, we count {counted:,}"
        for tool, result in results.items()
        if result.counted != counted
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every registered network, not seven")
    parser.add_argument("--no-fvcore", action="store_true", help="without fvcore, which computes with real numbers")
    words = parser.parse_args(arguments)
    names = model_names() if words.all else FEW
    quiet()
    print(f"{date.today()}  {cpu_name()}, Python {platform.python_version()}, " + ", ".join(versions()))
    compare("resnet18", not words.no_fvcore)  # imports and torch's first use of each operation cost all of them alike
    OperationCounter.forget()
    found = {name: compare(name, not words.no_fvcore) for name in names}
    print(report(found))


def quiet() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def versions() -> list[str]:
    return [f"{package} {version(package)}" for package in ("torch", "torchinfo", "fvcore")]


def report(found: dict[str, dict[str, Result]]) -> str:
    """Seconds of each tool beside ours on the networks that it counts, and every disagreement."""
    lines = []
    for tool in ("torchinfo", "fvcore"):
        both = [(results["ours"].seconds, results[tool].seconds) for results in found.values() if tool in results]
        if both:
            own, other = map(sum, zip(*both, strict=True))
            lines.append(
                f"{len(both)} networks: ours {own:.2f} s of CPU time, {tool} {other:.2f} s, "
                f"{other / own:.1f} times as long   to reach: 5"
            )
    unequal = [line for name, results in found.items() for line in disagreements(name, results)]
    return "\n".join([*lines, f"disagreements: {len(unequal)}", *unequal])


if __name__ == "__main__":
    main()
